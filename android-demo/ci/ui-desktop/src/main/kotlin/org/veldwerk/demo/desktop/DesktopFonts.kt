package org.veldwerk.demo.desktop

import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.platform.Font
import org.veldwerk.demo.Fonts

/** The bundled fonts, from the class path. */
val DesktopFonts = Fonts(family("NotoSans"), family("NotoSansArabic"), family("NotoSansEthiopic"))

private fun family(name: String) = FontFamily(
    Font("fonts/$name-Regular.ttf", FontWeight.Normal),
    Font("fonts/$name-Bold.ttf", FontWeight.Bold),
)
