package org.veldwerk.demo.desktop

import androidx.compose.runtime.Composable
import androidx.compose.ui.ImageComposeScene
import androidx.compose.ui.unit.Density
import androidx.compose.ui.use
import org.jetbrains.skia.EncodedImageFormat
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.veldwerk.demo.Screen
import org.veldwerk.demo.VeldwerkTheme
import org.veldwerk.ui.UiAction
import org.veldwerk.ui.UiView
import java.io.ByteArrayInputStream
import java.io.File
import javax.imageio.ImageIO
import kotlin.math.abs

private const val WIDTH = 360
private const val HEIGHT = 780

/** Every screen that can be reached, as the core says it, drawn. */
class ScreenTest {
    private val shots = File(System.getProperty("shots")).apply { mkdirs() }
    private val goldens = File(System.getProperty("goldens"))

    @Test fun arabic() = walk("ar", golden = true)
    @Test fun dutch() = walk("nl", golden = true)
    @Test fun english() = walk("en", golden = false)
    @Test fun turkish() = walk("tr", golden = false)
    @Test fun tigrinya() = walk("ti", golden = false)

    private fun walk(language: String, golden: Boolean) = Phone(language).use { phone ->
        fun shot(name: String, dark: Boolean = false) = check("$name-$language", phone.view(), golden, dark)
        shot("language")
        phone.tap("language.$language")
        shot("join")
        phone.join()
        shot("home")
        phone.tap("form.pi_newcomers.start")
        shot("welcome")
        repeat(2) { phone.tap("dock.next") }
        shot("consent")
        phone.tap("dock.next")
        shot("complaint")
        phone.tap("q:/data/intro/consent=yes")
        shot("answered")
        shot("answered-dark", dark = true)
        phone.tap("bar.stop")
        shot("stop")
        phone.tap("sheet.continue")
        phone.tap("bar.language")
        shot("languages")
    }

    private fun check(name: String, view: UiView, golden: Boolean, dark: Boolean) {
        val png = draw(view, dark)
        File(shots, "$name.png").writeBytes(png)
        if (golden) compare(name, png)
    }

    private fun compare(name: String, png: ByteArray) {
        val file = File(goldens, "$name.png")
        if (System.getProperty("goldens.update") == "true") {
            goldens.mkdirs()
            return file.writeBytes(png)
        }
        assertTrue("no golden $name: run with -Dgoldens.update=true, and look at it", file.exists())
        val was = ImageIO.read(file)
        val now = ImageIO.read(ByteArrayInputStream(png))
        assertEquals(was.width to was.height, now.width to now.height)
        val differing = (0 until was.height).sumOf { y ->
            (0 until was.width).count { x ->
                val (p, q) = was.getRGB(x, y) to now.getRGB(x, y)
                (0..24 step 8).any { abs((p shr it and 255) - (q shr it and 255)) > 8 }
            }
        }
        // Drawing repeats to the byte, so a handful of pixels is a change.
        assertTrue("$name: $differing pixels differ from the golden", differing <= 8)
    }

    private fun draw(view: UiView, dark: Boolean): ByteArray =
        ImageComposeScene(WIDTH, HEIGHT, Density(1f)) { Drawn(view, dark) }.use {
            it.render(0)
            it.render(1_000_000_000).encodeToData(EncodedImageFormat.PNG)!!.bytes
        }
}

@Composable
fun Drawn(view: UiView, dark: Boolean = false, act: (UiAction) -> Unit = {}) = VeldwerkTheme(DesktopFonts, dark) { Screen(view, act) }
