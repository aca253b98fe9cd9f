package org.veldwerk.demo

import androidx.compose.material3.ColorScheme
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.Immutable
import androidx.compose.runtime.staticCompositionLocalOf
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.text.font.FontFamily

/** The colours of the design by their names there; the wallpaper decides nothing. */
@Immutable
data class VeldwerkColors(
    val ground: Color, val surface: Color, val sunken: Color, val ink: Color, val ink2: Color, val line: Color, val edge: Color,
    val primary: Color, val onPrimary: Color, val primarySoft: Color, val onPrimarySoft: Color,
    val clay: Color, val claySoft: Color, val onClaySoft: Color,
    val danger: Color, val onDanger: Color, val dangerSoft: Color, val onDangerSoft: Color,
    val saved: Color, val savedSoft: Color, val waiting: Color, val waitingSoft: Color, val sending: Color, val sendingSoft: Color,
    val received: Color, val receivedSoft: Color,
)

val LightColors = VeldwerkColors(
    ground = Color(0xFFFAF6EF), surface = Color(0xFFFFFFFF), sunken = Color(0xFFF1EBDF), ink = Color(0xFF24211B),
    ink2 = Color(0xFF5B5547), line = Color(0xFFE3DBCB), edge = Color(0xFF857C6A),
    primary = Color(0xFF17594A), onPrimary = Color(0xFFFFFFFF), primarySoft = Color(0xFFDDEBE2), onPrimarySoft = Color(0xFF0E3F34),
    clay = Color(0xFFA84A22), claySoft = Color(0xFFF9E5D8), onClaySoft = Color(0xFF6B2D10),
    danger = Color(0xFFA3291B), onDanger = Color(0xFFFFFFFF), dangerSoft = Color(0xFFFCE7E2), onDangerSoft = Color(0xFF7C1A10),
    saved = Color(0xFF4A5158), savedSoft = Color(0xFFECEAE5), waiting = Color(0xFF7A4B00), waitingSoft = Color(0xFFFDEFCF),
    sending = Color(0xFF1B5585), sendingSoft = Color(0xFFE1EDF7), received = Color(0xFF1C6636), receivedSoft = Color(0xFFDDF0E0),
)

val DarkColors = VeldwerkColors(
    ground = Color(0xFF161512), surface = Color(0xFF211F1B), sunken = Color(0xFF100F0D), ink = Color(0xFFF2EDE3),
    ink2 = Color(0xFFC2BBAC), line = Color(0xFF38352E), edge = Color(0xFF8F8778),
    primary = Color(0xFF8FD3BD), onPrimary = Color(0xFF05332A), primarySoft = Color(0xFF20403A), onPrimarySoft = Color(0xFFCFEFE3),
    clay = Color(0xFFF0A27E), claySoft = Color(0xFF4A2A1B), onClaySoft = Color(0xFFFAD9C8),
    danger = Color(0xFFFFB0A3), onDanger = Color(0xFF5C120A), dangerSoft = Color(0xFF4D1E18), onDangerSoft = Color(0xFFFFDAD3),
    saved = Color(0xFFC9CDD2), savedSoft = Color(0xFF33322E), waiting = Color(0xFFF3C56B), waitingSoft = Color(0xFF43330F),
    sending = Color(0xFF9CCBF2), sendingSoft = Color(0xFF1B3850), received = Color(0xFF95D8A6), receivedSoft = Color(0xFF1B3D26),
)

/** The bundled fonts; a family does not choose by glyph, so each script has its own. */
@Immutable
data class Fonts(val latin: FontFamily, val arabic: FontFamily, val ethiopic: FontFamily)

/** A role of text: its size, its weight and the height of its lines by script, in sp. */
enum class Role(val size: Int, val bold: Boolean, val latin: Int, val arabic: Int, val ethiopic: Int) {
    Display(28, true, 36, 44, 40),
    Question(24, true, 32, 40, 36),
    Title(20, true, 28, 34, 30),
    Answer(18, false, 26, 32, 28),
    Button(18, true, 24, 30, 26),
    Support(16, false, 24, 28, 26),
    Small(14, false, 20, 24, 22),
}

val LocalColors = staticCompositionLocalOf { LightColors }
val LocalFonts = staticCompositionLocalOf<Fonts> { error("no fonts") }

@Composable
fun VeldwerkTheme(fonts: Fonts, dark: Boolean = false, content: @Composable () -> Unit) {
    val colors = if (dark) DarkColors else LightColors
    CompositionLocalProvider(LocalColors provides colors, LocalFonts provides fonts) {
        MaterialTheme(colorScheme = material(colors, dark), content = content)
    }
}

private fun material(c: VeldwerkColors, dark: Boolean): ColorScheme {
    val base = if (dark) darkColorScheme() else lightColorScheme()
    return base.copy(
        surface = c.ground, background = c.ground, surfaceContainerLowest = c.surface, surfaceContainerHigh = c.sunken,
        onSurface = c.ink, onBackground = c.ink, onSurfaceVariant = c.ink2, outlineVariant = c.line, outline = c.edge,
        primary = c.primary, onPrimary = c.onPrimary, primaryContainer = c.primarySoft, onPrimaryContainer = c.onPrimarySoft,
        tertiary = c.clay, tertiaryContainer = c.claySoft, onTertiaryContainer = c.onClaySoft,
        error = c.danger, onError = c.onDanger, errorContainer = c.dangerSoft, onErrorContainer = c.onDangerSoft,
    )
}
