package org.veldwerk.demo

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.platform.LocalLayoutDirection
import androidx.compose.ui.text.SpanStyle
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.text.buildAnnotatedString
import androidx.compose.ui.text.font.FontStyle
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.intl.LocaleList
import androidx.compose.ui.text.style.LineHeightStyle
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.text.withStyle
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.sp
import org.veldwerk.ui.UiBlock
import org.veldwerk.ui.UiScript
import org.veldwerk.ui.UiSide
import org.veldwerk.ui.UiText

/** A text of the core: each run in the font of its script, lines as high as its script needs, aligned by its own language; as wide as it may be, or as its
 * words are. */
@Composable
fun Words(
    text: UiText,
    role: Role,
    modifier: Modifier = Modifier,
    color: Color = LocalColors.current.ink,
    bold: Boolean = role.bold,
    align: TextAlign? = null,
    fill: Boolean = align != TextAlign.Center,
) {
    val direction = if (text.rightToLeft) LayoutDirection.Rtl else LayoutDirection.Ltr
    Column(modifier) {
        // In a list all rows align with the layout; a text alone reads from its own side.
        CompositionLocalProvider(LocalLayoutDirection provides direction) {
            for (block in text.blocks) {
                Text(
                    annotated(block, text.language, LocalFonts.current),
                    if (fill) Modifier.fillMaxWidth() else Modifier,
                    style = styleOf(role, block, bold, color, direction),
                    textAlign = align ?: sideOf(block.align),
                )
            }
        }
    }
}

/** The look of text that is typed. */
@Composable
fun typedStyle(role: Role, rightToLeft: Boolean): TextStyle {
    val fonts = LocalFonts.current
    return TextStyle(
        color = LocalColors.current.ink,
        fontFamily = if (rightToLeft) fonts.arabic else fonts.latin,
        fontSize = role.size.sp,
        lineHeight = (if (rightToLeft) role.arabic else role.latin).sp,
        textDirection = TextDirection.Content,
    )
}

private fun annotated(block: UiBlock, language: String, fonts: Fonts) = buildAnnotatedString {
    val locale = language.takeIf { it.isNotEmpty() }?.let { LocaleList(it) }
    for (span in block.spans) {
        val look = SpanStyle(
            fontFamily = familyOf(span.script, fonts),
            fontWeight = if (span.bold) FontWeight.Bold else null,
            fontStyle = if (span.italic && span.script == UiScript.LATIN) FontStyle.Italic else null,
            color = span.color?.let { Color(0xFF000000 or it.toLong(16)) } ?: Color.Unspecified,
            localeList = locale,
        )
        withStyle(look) { append(span.text) }
        // Links are shown, not opened.
        span.link?.let { append(" ($it)") }
    }
}

private fun familyOf(script: UiScript, fonts: Fonts) = when (script) {
    UiScript.LATIN -> fonts.latin
    UiScript.ARABIC -> fonts.arabic
    UiScript.ETHIOPIC -> fonts.ethiopic
}

private fun sideOf(side: UiSide) = when (side) {
    UiSide.START -> TextAlign.Start
    UiSide.CENTER -> TextAlign.Center
    UiSide.END -> TextAlign.End
    UiSide.LEFT -> TextAlign.Left
    UiSide.RIGHT -> TextAlign.Right
}

@Composable
private fun styleOf(role: Role, block: UiBlock, bold: Boolean, color: Color, direction: LayoutDirection): TextStyle {
    // A line that holds two scripts keeps the height of the taller.
    val height = block.spans.maxOfOrNull {
        when (it.script) {
            UiScript.LATIN -> role.latin
            UiScript.ARABIC -> role.arabic
            UiScript.ETHIOPIC -> role.ethiopic
        }
    } ?: role.latin
    return TextStyle(
        color = color,
        fontFamily = LocalFonts.current.latin,
        fontSize = role.size.sp,
        fontWeight = if (bold || block.heading > 0u) FontWeight.Bold else FontWeight.Normal,
        lineHeight = height.sp,
        lineHeightStyle = LineHeightStyle(LineHeightStyle.Alignment.Center, LineHeightStyle.Trim.None),
        textDirection = if (direction == LayoutDirection.Rtl) TextDirection.Rtl else TextDirection.Ltr,
    )
}

/** A number or a code. */
@Composable
fun Figure(text: String, color: Color) {
    val style = TextStyle(color = color, fontFamily = LocalFonts.current.latin, fontSize = Role.Small.size.sp, fontWeight = FontWeight.Bold, textDirection = TextDirection.Ltr)
    Text(text, style = style)
}
