package org.veldwerk.demo

import androidx.compose.foundation.background
import androidx.compose.foundation.border
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ColumnScope
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.width
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.foundation.verticalScroll
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.key
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.platform.LocalLayoutDirection
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.dp
import org.veldwerk.ui.UiButton
import org.veldwerk.ui.UiCard
import org.veldwerk.ui.UiDock
import org.veldwerk.ui.UiItem
import org.veldwerk.ui.UiOverviewScreen
import org.veldwerk.ui.UiPartState
import org.veldwerk.ui.UiProgress
import org.veldwerk.ui.UiScreen
import org.veldwerk.ui.UiSheet
import org.veldwerk.ui.UiView

/** One moment of the app. It knows no form, no record, no state of sending: it draws what the view says. */
@Composable
fun Screen(view: UiView, act: Act) {
    val direction = if (view.rightToLeft) LayoutDirection.Rtl else LayoutDirection.Ltr
    CompositionLocalProvider(LocalLayoutDirection provides direction) {
        Box(Modifier.fillMaxSize().background(LocalColors.current.ground)) {
            Column(Modifier.fillMaxSize()) {
                Bar(view.bar, act)
                view.progress?.let { Progressed(it, act) }
                // Another place begins at its top.
                key(placeOf(view)) {
                    Column(
                        Modifier.weight(1f).fillMaxWidth().verticalScroll(rememberScrollState()).padding(horizontal = 20.dp, vertical = 16.dp),
                        Arrangement.spacedBy(16.dp),
                    ) {
                        view.trouble?.let { Quiet(LocalColors.current.dangerSoft) { Words(it, Role.Support, color = LocalColors.current.onDangerSoft) } }
                        view.busy?.let { Quiet(LocalColors.current.sunken) { Words(it, Role.Support) } }
                        Shown(view.screen, act)
                    }
                }
                Docked(view.dock, act)
            }
            view.sheet?.let { Over(it, act) }
        }
    }
}

private fun placeOf(view: UiView): String = when (val screen = view.screen) {
    is UiScreen.Question -> screen.v1.items.firstOrNull()?.id ?: "question"
    else -> screen.javaClass.name
}

@Composable
private fun ColumnScope.Shown(screen: UiScreen, act: Act) {
    val colors = LocalColors.current
    when (screen) {
        is UiScreen.Language -> screen.v1.rows.forEach { row ->
            // Nothing is chosen yet: each row keeps its own direction.
            val own = if (row.button.text.rightToLeft) LayoutDirection.Rtl else LayoutDirection.Ltr
            CompositionLocalProvider(LocalLayoutDirection provides own) {
                Column(
                    Modifier.fillMaxWidth().clip(Large).background(colors.surface).border(1.5.dp, colors.edge, Large)
                        .touch(row.button, act).padding(horizontal = 16.dp, vertical = 8.dp),
                ) {
                    Words(row.button.text, Role.Button)
                    Words(row.welcome, Role.Small, color = colors.ink2)
                }
            }
        }
        is UiScreen.Join -> with(screen.v1) {
            Words(title, Role.Display, Modifier.semantics { heading() })
            Words(explain, Role.Support, color = colors.ink2)
            Quiet(colors.primarySoft) { Words(noAccount, Role.Support, color = colors.onPrimarySoft) }
            scan?.let { Press(it, act, Modifier.fillMaxWidth()) }
            Typed(code, false, act)
        }
        is UiScreen.JoinCheck -> with(screen.v1) {
            Words(title, Role.Display, Modifier.semantics { heading() })
            Card {
                Words(project, Role.Title)
                Words(server, Role.Support, color = colors.ink2)
            }
            who?.let { Words(it, Role.Title) }
            answers.forEach { Press(it, act, Modifier.fillMaxWidth()) }
            Press(cancel, act, Modifier.fillMaxWidth())
        }
        is UiScreen.Home -> with(screen.v1) {
            Words(title, Role.Display, Modifier.semantics { heading() })
            empty?.let { Words(it, Role.Support) }
            cards.forEach { Questionnaire(it, act) }
            more.forEach { Press(it, act, Modifier.fillMaxWidth()) }
        }
        is UiScreen.Question -> {
            screen.v1.headings.forEach { Words(it, Role.Small, color = colors.ink2) }
            screen.v1.note?.let { Quiet(colors.sunken) { Words(it, Role.Support) } }
            screen.v1.items.forEachIndexed { index, item ->
                if (index > 0) Spacer(Modifier.height(16.dp))
                key(item.id) { Asked(item, act) }
            }
            screen.v1.promise?.let { Quiet(colors.sunken) { Words(it, Role.Support) } }
        }
        is UiScreen.Review -> with(screen.v1) {
            Words(title, Role.Display, Modifier.semantics { heading() })
            Card { lines.forEach { Words(it, Role.Support) } }
            problems.forEach { problem ->
                Column(
                    Modifier.fillMaxWidth().clip(Large).background(colors.surface).border(2.5.dp, colors.danger, Large)
                        .touch(problem.button, act).padding(16.dp),
                    Arrangement.spacedBy(4.dp),
                ) {
                    Words(problem.button.text, Role.Answer, bold = true)
                    Words(problem.text, Role.Support, color = colors.danger)
                }
            }
            Words(closing, Role.Support, color = colors.ink2)
        }
        is UiScreen.Done -> with(screen.v1) {
            Words(title, Role.Display, Modifier.semantics { heading() })
            stages.forEachIndexed { index, mark -> Stage(mark, explained = index == stages.lastIndex) }
            nothingToDo?.let { Words(it, Role.Support, color = colors.ink2) }
            more.forEach { Press(it, act, Modifier.fillMaxWidth()) }
        }
        is UiScreen.Overview -> Overview(screen.v1, act)
        is UiScreen.Settings -> with(screen.v1) {
            Words(title, Role.Display, Modifier.semantics { heading() })
            rows.forEach { Answer(it, act) { if (it.chosen) Drawn(Icon.Tick, colors.primary) } }
            Words(version, Role.Small, color = colors.ink2)
        }
        is UiScreen.Privacy -> with(screen.v1) {
            Words(title, Role.Display, Modifier.semantics { heading() })
            lines.forEach { Quiet(colors.primarySoft) { Words(it, Role.Support, color = colors.onPrimarySoft) } }
        }
        is UiScreen.Erase -> with(screen.v1) {
            Words(title, Role.Display, Modifier.semantics { heading() })
            Words(explain, Role.Support)
            unsent?.let { Quiet(colors.dangerSoft) { Words(it, Role.Support, color = colors.onDangerSoft, bold = true) } }
            Quiet(colors.sunken) { Words(stays, Role.Support) }
            Press(confirm, act, Modifier.fillMaxWidth(), danger = true)
            Press(keep, act, Modifier.fillMaxWidth())
        }
        is UiScreen.Erased -> with(screen.v1) {
            Words(title, Role.Display, Modifier.semantics { heading() })
            Words(explain, Role.Support)
        }
        // Nothing that tells anything of what is behind it: a tap anywhere goes on.
        is UiScreen.Cover -> Box(Modifier.fillMaxWidth().heightIn(min = 560.dp).touch(screen.v1.tap, act), Alignment.Center) {
            Words(screen.v1.tap.text, Role.Support, color = colors.ink2, align = TextAlign.Center)
        }
        is UiScreen.Trouble -> Quiet(colors.dangerSoft) {
            Words(screen.v1.text, Role.Title, color = colors.onDangerSoft)
            Figure(screen.v1.code, colors.onDangerSoft)
        }
    }
}

@Composable
private fun Asked(item: UiItem, act: Act) {
    val colors = LocalColors.current
    Column(verticalArrangement = Arrangement.spacedBy(12.dp)) {
        if (item.label.blocks.isNotEmpty()) Words(item.label, Role.Question, Modifier.semantics { heading() })
        item.complaint?.let {
            Quiet(colors.dangerSoft) {
                Words(it.title, Role.Answer, color = colors.onDangerSoft, bold = true)
                Words(it.text, Role.Support, color = colors.onDangerSoft)
            }
        }
        item.hint?.let { Words(it, Role.Support, color = colors.ink2) }
        if (item.readOnly == null) Controlled(item.control, item.complaint != null, act)
        else Quiet(colors.sunken) { Controlled(item.control, false, {}) }
        item.readOnly?.let { Words(it, Role.Small, color = colors.ink2) }
        item.guidance?.let { fold ->
            Press(fold.button, act)
            fold.text?.let { Quiet(colors.sunken) { Words(it, Role.Support) } }
        }
    }
}

/** The questionnaire at a glance, by its parts. */
@Composable
private fun Overview(overview: UiOverviewScreen, act: Act) {
    val colors = LocalColors.current
    Words(overview.title, Role.Display, Modifier.semantics { heading() })
    overview.errors?.let { Words(it, Role.Support, color = colors.danger, bold = true) }
    Typed(overview.search, false, act)
    overview.noneFound?.let { Words(it, Role.Support) }
    overview.parts.forEach { part ->
        Column(verticalArrangement = Arrangement.spacedBy(4.dp)) {
            part.button?.let { Answer(it, act) { PartMark(part.state) } }
            Words(part.text, Role.Small, color = if (part.state == UiPartState.CHECK) colors.danger else colors.ink2)
            part.rows.forEach { row ->
                Answer(row.button.copy(chosen = false), act) {}
                row.answer?.let { Words(it, Role.Support, color = colors.ink2) }
                row.problem?.let { Words(it, Role.Support, color = colors.danger) }
            }
        }
    }
    Press(overview.review, act, Modifier.fillMaxWidth())
}

@Composable
private fun PartMark(state: UiPartState) {
    val colors = LocalColors.current
    when (state) {
        UiPartState.DONE -> Drawn(Icon.Tick, colors.received)
        UiPartState.CHECK -> Drawn(Icon.Care, colors.danger)
        UiPartState.HERE -> Drawn(Icon.Next, colors.primary)
        UiPartState.LATER -> Ring(false)
    }
}

@Composable
private fun Questionnaire(card: UiCard, act: Act) = Card {
    Words(card.title, Role.Title)
    card.lines.forEach { Words(it, Role.Small, color = LocalColors.current.ink2) }
    card.stage?.let { Stage(it, explained = true) }
    card.button?.let { Press(it, act, Modifier.fillMaxWidth(), Icon.Next) }
}

@Composable
private fun Bar(bar: List<UiButton>, act: Act) {
    if (bar.isEmpty()) return
    val colors = LocalColors.current
    Row(
        Modifier.fillMaxWidth().padding(horizontal = 12.dp, vertical = 4.dp), Arrangement.SpaceBetween, Alignment.CenterVertically,
    ) {
        bar.forEach { button ->
            if (button.id == "bar.language") {
                if (bar.size == 1) Spacer(Modifier.width(1.dp))
                Row(
                    Modifier.clip(RoundedCornerShape(50)).background(colors.surface).border(1.dp, colors.line, RoundedCornerShape(50))
                        .touch(button, act).padding(horizontal = 16.dp),
                    Arrangement.spacedBy(8.dp), Alignment.CenterVertically,
                ) {
                    Drawn(Icon.Globe, colors.ink, 18.dp)
                    Words(button.text, Role.Small, Modifier.weight(1f, fill = false), bold = true, fill = false)
                }
            } else {
                // Words here would be broken in most languages; the name is spoken.
                Box(Modifier.size(48.dp).touch(button.copy(spoken = button.spoken ?: button.text), act), Alignment.Center) {
                    Drawn(if (button.id == "bar.hide") Icon.Hide else Icon.Home, colors.ink)
                }
            }
        }
    }
}

@Composable
private fun Progressed(progress: UiProgress, act: Act) {
    val colors = LocalColors.current
    Column(
        Modifier.fillMaxWidth().touch(progress.overview, act).padding(horizontal = 20.dp, vertical = 8.dp), Arrangement.spacedBy(4.dp),
    ) {
        Row(Modifier.fillMaxWidth(), Arrangement.spacedBy(4.dp)) {
            for (part in 1u..progress.parts) {
                val color = if (part <= progress.part) colors.primary else colors.line
                Box(Modifier.weight(1f).height(6.dp).background(color, RoundedCornerShape(50)))
            }
        }
        Row(Modifier.fillMaxWidth(), Arrangement.spacedBy(8.dp)) {
            Words(progress.text, Role.Small, Modifier.weight(1f), colors.ink2)
            progress.saved?.let {
                Drawn(Icon.Tick, colors.received, 18.dp)
                Words(it, Role.Small, Modifier.weight(1f, fill = false), colors.received, bold = true, fill = false)
            }
        }
    }
}

/** Back and the big button, which never move. */
@Composable
private fun Docked(dock: UiDock, act: Act) {
    if (dock.back == null && dock.main == null) return
    val colors = LocalColors.current
    Row(Modifier.fillMaxWidth().padding(horizontal = 20.dp, vertical = 12.dp), Arrangement.spacedBy(12.dp), Alignment.CenterVertically) {
        dock.back?.let { back ->
            Box(
                Modifier.size(64.dp, 56.dp).clip(Large).background(colors.surface).border(1.5.dp, colors.edge, Large)
                    .touch(back.copy(spoken = back.spoken ?: back.text), act),
                Alignment.Center,
            ) { Drawn(Icon.Back, colors.ink) }
        }
        dock.main?.let { Press(it, act, Modifier.weight(1f), Icon.Next) }
    }
}

@Composable
private fun Over(sheet: UiSheet, act: Act) {
    val colors = LocalColors.current
    Box(Modifier.fillMaxSize().background(Color(0x99000000)), Alignment.BottomCenter) {
        Column(
            Modifier.fillMaxWidth().heightIn(max = 640.dp).clip(RoundedCornerShape(topStart = 24.dp, topEnd = 24.dp)).background(colors.ground)
                .verticalScroll(rememberScrollState()).padding(20.dp),
            Arrangement.spacedBy(12.dp),
        ) {
            when (sheet) {
                is UiSheet.Language -> {
                    Words(sheet.title, Role.Title)
                    Words(sheet.explain, Role.Support, color = colors.ink2)
                    sheet.rows.forEach { Answer(it, act) { Ring(it.chosen) } }
                    Press(sheet.close, act, Modifier.fillMaxWidth())
                }
                is UiSheet.Stop -> {
                    Words(sheet.explain, Role.Title)
                    Press(sheet.stop, act, Modifier.fillMaxWidth())
                    Press(sheet.goOn, act, Modifier.fillMaxWidth())
                }
                is UiSheet.Delete -> {
                    Words(sheet.title, Role.Title)
                    Words(sheet.which, Role.Answer)
                    Press(sheet.delete, act, Modifier.fillMaxWidth())
                    Press(sheet.cancel, act, Modifier.fillMaxWidth())
                }
            }
        }
    }
}
