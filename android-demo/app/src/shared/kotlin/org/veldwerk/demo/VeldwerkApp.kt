package org.veldwerk.demo

import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import org.veldwerk.SurveyApp
import org.veldwerk.ui.UiEffect
import org.veldwerk.ui.UiEvent

/** The app: draws what is shown, hands touches back, and does each effect once with the platform. */
@Composable
fun VeldwerkApp(app: SurveyApp, platform: Platform) {
    val shown by app.shown.collectAsState()
    LaunchedEffect(app) {
        app.effects.collect { effect ->
            when (effect) {
                is UiEffect.Ask -> app.tell(UiEvent.Answered(effect.id, platform.ask(effect.what)))
                UiEffect.LeaveApp -> platform.leave()
            }
        }
    }
    Screen(shown.view) { action -> app.act(shown.view.rev, action) }
}
