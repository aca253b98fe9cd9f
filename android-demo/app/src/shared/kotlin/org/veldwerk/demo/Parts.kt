package org.veldwerk.demo

import androidx.compose.foundation.BorderStroke
import androidx.compose.foundation.background
import androidx.compose.foundation.border
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ColumnScope
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.defaultMinSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.width
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.foundation.text.BasicTextField
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.SolidColor
import androidx.compose.ui.platform.LocalLayoutDirection
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.semantics.Role as Meaning
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.selected
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.TextRange
import androidx.compose.ui.text.input.KeyboardType
import androidx.compose.ui.text.input.PasswordVisualTransformation
import androidx.compose.ui.text.input.TextFieldValue
import androidx.compose.ui.text.input.VisualTransformation
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.dp
import org.veldwerk.ui.UiAction
import org.veldwerk.ui.UiButton
import org.veldwerk.ui.UiField
import org.veldwerk.ui.UiKeypad
import org.veldwerk.ui.UiLook
import org.veldwerk.ui.UiStageMark
import org.veldwerk.ui.UiText

/** What a touch does, given back as the core made it. */
typealias Act = (UiAction) -> Unit

val Large = RoundedCornerShape(16.dp)
private val Small = RoundedCornerShape(12.dp)

/** What can be touched: at least 48 high and wide, named by its id, chosen or not, and what a screen reader says. */
fun Modifier.touch(button: UiButton, act: Act): Modifier = this
    .testTag(button.id)
    .defaultMinSize(minWidth = 48.dp, minHeight = 48.dp)
    .semantics {
        button.spoken?.let { contentDescription = it.plain }
        if (button.chosen) selected = true
    }
    .clickable(role = Meaning.Button) { act(button.action) }

/** A button with words. */
@Composable
fun Press(button: UiButton, act: Act, modifier: Modifier = Modifier, icon: Icon? = null, danger: Boolean = false) {
    val colors = LocalColors.current
    val (back, fore) = when (button.look) {
        UiLook.FILLED -> if (danger) colors.danger to colors.onDanger else colors.primary to colors.onPrimary
        UiLook.OUTLINED -> colors.surface to colors.ink
        UiLook.PLAIN -> Color.Transparent to colors.primary
    }
    val edge = if (button.look == UiLook.OUTLINED) BorderStroke(1.5.dp, colors.edge) else null
    Row(
        modifier.clip(Large).background(back).then(edge?.let { Modifier.border(it, Large) } ?: Modifier)
            .touch(button, act).heightIn(min = if (button.look == UiLook.PLAIN) 48.dp else 56.dp)
            .padding(horizontal = 16.dp, vertical = 8.dp),
        horizontalArrangement = Arrangement.spacedBy(12.dp, Alignment.CenterHorizontally),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Words(button.text, Role.Button, Modifier.weight(1f, fill = false), fore, align = TextAlign.Center)
        icon?.let { Drawn(it, fore) }
    }
}

/** An answer: a row with its mark, soft and bold when it is chosen. */
@Composable
fun Answer(button: UiButton, act: Act, mark: @Composable () -> Unit) {
    val colors = LocalColors.current
    Row(
        Modifier.fillMaxWidth().clip(Large).background(if (button.chosen) colors.primarySoft else colors.surface)
            .border(if (button.chosen) 2.5.dp else 1.5.dp, if (button.chosen) colors.primary else colors.edge, Large)
            .touch(button, act).heightIn(min = 56.dp).padding(horizontal = 16.dp, vertical = 12.dp),
        horizontalArrangement = Arrangement.spacedBy(12.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        mark()
        Words(
            button.text, Role.Answer, Modifier.weight(1f), if (button.chosen) colors.onPrimarySoft else colors.ink, bold = button.chosen,
            align = layoutStart(button.text),
        )
    }
}

/** The side where the layout begins, for a text of any direction: in a list all rows align with the layout. */
@Composable
fun layoutStart(text: UiText): TextAlign {
    val isRtl = LocalLayoutDirection.current == LayoutDirection.Rtl
    return if (text.rightToLeft == isRtl) TextAlign.Start else TextAlign.End
}

/** A ring, filled when it is chosen. */
@Composable
fun Ring(chosen: Boolean) {
    val colors = LocalColors.current
    Box(Modifier.size(24.dp).border(2.dp, if (chosen) colors.primary else colors.edge, CircleShape), Alignment.Center) {
        if (chosen) Box(Modifier.size(12.dp).background(colors.primary, CircleShape))
    }
}

/** A box, ticked when it is chosen. */
@Composable
fun Tickbox(chosen: Boolean) {
    val colors = LocalColors.current
    val shape = RoundedCornerShape(6.dp)
    val back = if (chosen) colors.primary else Color.Transparent
    Box(Modifier.size(24.dp).clip(shape).background(back).border(2.dp, if (chosen) colors.primary else colors.edge, shape), Alignment.Center) {
        if (chosen) Drawn(Icon.Tick, colors.onPrimary, 18.dp)
    }
}

/** A note in a quiet colour. */
@Composable
fun Quiet(color: Color, modifier: Modifier = Modifier, content: @Composable ColumnScope.() -> Unit) {
    Column(modifier.fillMaxWidth().clip(Large).background(color).padding(16.dp), Arrangement.spacedBy(4.dp), content = content)
}

/** A card on the ground. */
@Composable
fun Card(content: @Composable ColumnScope.() -> Unit) {
    val colors = LocalColors.current
    Column(
        Modifier.fillMaxWidth().clip(Large).background(colors.surface).border(1.dp, colors.line, Large).padding(16.dp),
        Arrangement.spacedBy(8.dp), content = content,
    )
}

/** Where answers are: outline, colour and words together. */
@Composable
fun Stage(mark: UiStageMark, explained: Boolean) {
    val colors = LocalColors.current
    val (fore, back) = when (iconOf(mark.stage)) {
        Icon.Waiting -> colors.waiting to colors.waitingSoft
        Icon.Sending -> colors.sending to colors.sendingSoft
        Icon.Received -> colors.received to colors.receivedSoft
        Icon.Care -> colors.danger to colors.dangerSoft
        else -> colors.saved to colors.savedSoft
    }
    Column(Modifier.fillMaxWidth(), Arrangement.spacedBy(4.dp)) {
        Row(
            Modifier.clip(RoundedCornerShape(50)).background(back).padding(horizontal = 12.dp, vertical = 4.dp),
            Arrangement.spacedBy(8.dp), Alignment.CenterVertically,
        ) {
            Drawn(iconOf(mark.stage), fore, 18.dp)
            Words(mark.text, Role.Small, Modifier.weight(1f, fill = false), fore, bold = true, fill = false)
        }
        if (explained) Words(mark.explain, Role.Support, color = colors.ink2)
    }
}

/** Where something is typed. The text is the shell's while it is typed; the core's takes its place when `rev` changes. */
@Composable
fun Typed(field: UiField, wrong: Boolean, act: Act) {
    val colors = LocalColors.current
    var value by remember(field.id, field.rev) { mutableStateOf(TextFieldValue(field.text, TextRange(field.text.length))) }
    val shape = Small
    BasicTextField(
        value,
        onValueChange = {
            val changed = it.text != value.text
            value = it
            if (changed) act(UiAction.Typing(field.id, it.text))
        },
        Modifier.fillMaxWidth().testTag(field.id).semantics { contentDescription = field.how.plain },
        textStyle = typedStyle(Role.Answer, LocalLayoutDirection.current == LayoutDirection.Rtl),
        keyboardOptions = KeyboardOptions(autoCorrectEnabled = false, keyboardType = keyboardOf(field.keypad)),
        singleLine = field.lines <= 1u && field.keypad != UiKeypad.TEXT,
        minLines = field.lines.toInt().coerceIn(1, 8),
        visualTransformation = if (field.masked) PasswordVisualTransformation() else VisualTransformation.None,
        cursorBrush = SolidColor(colors.primary),
    ) { inner ->
        Row(
            Modifier.fillMaxWidth().heightIn(min = 60.dp).clip(shape).background(colors.surface)
                .border(if (wrong) 2.5.dp else 1.5.dp, if (wrong) colors.danger else colors.edge, shape)
                .padding(horizontal = 16.dp, vertical = 12.dp),
            Arrangement.spacedBy(12.dp), Alignment.CenterVertically,
        ) {
            if (field.keypad == UiKeypad.SEARCH) Drawn(Icon.Lens, colors.ink2)
            Box(Modifier.weight(1f)) {
                if (value.text.isEmpty()) Words(field.how, Role.Support, color = colors.ink2)
                inner()
            }
        }
    }
}

private fun keyboardOf(keypad: UiKeypad) = when (keypad) {
    UiKeypad.INTEGER, UiKeypad.DIGITS, UiKeypad.YEAR -> KeyboardType.Number
    UiKeypad.DECIMAL -> KeyboardType.Decimal
    UiKeypad.ADDRESS -> KeyboardType.Uri
    UiKeypad.TEXT, UiKeypad.DATE, UiKeypad.MONTH_YEAR, UiKeypad.TIME, UiKeypad.DATE_TIME, UiKeypad.PLACE, UiKeypad.PLACES, UiKeypad.SEARCH ->
        KeyboardType.Text
}
