package org.veldwerk.demo

import androidx.compose.foundation.background
import androidx.compose.foundation.border
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.fillMaxHeight
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import org.veldwerk.ui.UiButton
import org.veldwerk.ui.UiChoices
import org.veldwerk.ui.UiChoiceRow
import org.veldwerk.ui.UiControl

/** How a question is answered: one drawing per control. */
@Composable
fun Controlled(control: UiControl, wrong: Boolean, act: Act) {
    when (control) {
        UiControl.Note -> Unit
        is UiControl.Field -> Typed(control.v1, wrong, act)
        is UiControl.Choices -> ChoiceList(control.v1, wrong, act)
        is UiControl.Levels -> Levels(control, act)
        // The answers are the buttons: equally large, neither stands out.
        is UiControl.Decision -> Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
            control.answers.forEach { Press(it, act, Modifier.fillMaxWidth()) }
        }
        is UiControl.Tick -> Answer(control.v1, act) { Tickbox(control.v1.chosen) }
        is UiControl.File -> Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
            control.chosen?.let { Quiet(LocalColors.current.sunken) { Words(it, Role.Answer, bold = true) } }
            Press(control.choose, act, Modifier.fillMaxWidth())
            control.delete?.let { Press(it, act, Modifier.fillMaxWidth()) }
        }
        is UiControl.Rounds -> Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
            control.rounds.forEach { Answer(it, act) { Drawn(Icon.Next, LocalColors.current.ink2) } }
            Spacer(Modifier.height(8.dp))
            Press(control.add, act, Modifier.fillMaxWidth())
            Press(control.done, act, Modifier.fillMaxWidth())
            control.delete?.let { Press(it, act, Modifier.fillMaxWidth()) }
        }
        is UiControl.Unsupported -> Quiet(LocalColors.current.sunken) { Words(control.v1, Role.Support) }
    }
}

@Composable
private fun ChoiceList(choices: UiChoices, wrong: Boolean, act: Act) {
    val colors = LocalColors.current
    Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
        choices.search?.let { Typed(it, wrong, act) }
        choices.found?.let { Words(it, Role.Small, color = colors.ink2) }
        val (apart, offered) = choices.rows.partition { it.apart }
        offered.forEach { Choice(it, choices, act) }
        if (apart.isNotEmpty()) {
            Box(Modifier.fillMaxWidth().padding(vertical = 4.dp).height(1.dp).background(colors.edge))
            apart.forEach { Choice(it, choices, act) }
        }
        choices.chosen?.let { Words(it, Role.Small, color = colors.ink2) }
        choices.how?.let { Words(it, Role.Small, color = colors.ink2) }
    }
}

@Composable
private fun Choice(row: UiChoiceRow, choices: UiChoices, act: Act) = Answer(row.button, act) {
    when {
        choices.ranked -> RankMark(row.rank?.toString())
        choices.many -> Tickbox(row.button.chosen)
        else -> Ring(row.button.chosen)
    }
}

@Composable
private fun RankMark(rank: String?) {
    val colors = LocalColors.current
    val back = if (rank == null) colors.surface else colors.primary
    Box(Modifier.size(28.dp).clip(CircleShape).background(back).border(1.5.dp, colors.edge, CircleShape), Alignment.Center) {
        rank?.let { Figure(it, colors.onPrimary) }
    }
}

/** Up to eleven steps in two rows, each with its level in sand; nothing is chosen beforehand. */
@Composable
private fun Levels(levels: UiControl.Levels, act: Act) {
    val perRow = if (levels.steps.size > 6) 6 else levels.steps.size.coerceAtLeast(1)
    Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
        levels.steps.chunked(perRow).forEachIndexed { line, steps ->
            Row(Modifier.fillMaxWidth(), Arrangement.spacedBy(4.dp)) {
                steps.forEachIndexed { place, step ->
                    val level = (line * perRow + place).toFloat() / (levels.steps.size - 1).coerceAtLeast(1)
                    Level(step, level, act, Modifier.weight(1f))
                }
                repeat(perRow - steps.size) { Spacer(Modifier.weight(1f)) }
            }
        }
        if (levels.ends.isNotEmpty()) {
            Row(Modifier.fillMaxWidth(), Arrangement.spacedBy(16.dp)) {
                levels.ends.forEachIndexed { index, end ->
                    val side = if (index == 0) layoutStart(end) else if (layoutStart(end) == TextAlign.Start) TextAlign.End else TextAlign.Start
                    Words(end, Role.Small, Modifier.weight(1f), LocalColors.current.ink2, align = side)
                }
            }
        }
    }
}

@Composable
private fun Level(step: UiButton, level: Float, act: Act, modifier: Modifier) {
    val colors = LocalColors.current
    Box(
        modifier.height(72.dp).clip(Large).background(if (step.chosen) colors.primary else colors.surface)
            .border(if (step.chosen) 2.5.dp else 1.5.dp, if (step.chosen) colors.primary else colors.edge, Large).touch(step, act),
        Alignment.Center,
    ) {
        if (!step.chosen) Box(Modifier.fillMaxWidth().fillMaxHeight(level).background(colors.sunken).align(Alignment.BottomCenter))
        Words(step.text, Role.Title, Modifier, if (step.chosen) colors.onPrimary else colors.ink, align = TextAlign.Center)
    }
}
