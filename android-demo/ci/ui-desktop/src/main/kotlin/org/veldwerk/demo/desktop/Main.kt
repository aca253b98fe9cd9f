package org.veldwerk.demo.desktop

import androidx.compose.ui.unit.DpSize
import androidx.compose.ui.unit.dp
import androidx.compose.ui.window.Window
import androidx.compose.ui.window.WindowState
import androidx.compose.ui.window.application
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.veldwerk.ClientConfig
import org.veldwerk.SecretStore
import org.veldwerk.SurveyApp
import org.veldwerk.demo.Platform
import org.veldwerk.demo.VeldwerkApp
import org.veldwerk.demo.VeldwerkTheme
import org.veldwerk.ui.UiAsk
import org.veldwerk.ui.UiDevice
import org.veldwerk.ui.UiEvent
import org.veldwerk.ui.UiNetwork
import org.veldwerk.ui.UiOutcome
import java.awt.FileDialog
import java.awt.Frame
import java.nio.file.Files
import java.nio.file.Path
import java.time.ZoneId
import java.util.Locale

/** The app in a window: `Main HOME [INVITATION]`. `cargo xtask desktop` starts it, with a try-out server behind it. */
fun main(arguments: Array<String>) {
    val home = Path.of(arguments[0])
    val scope = CoroutineScope(Dispatchers.Default)
    val zone = ZoneId.systemDefault().id
    val device = UiDevice(listOf(Locale.getDefault().toLanguageTag()), zone, false, UiNetwork.UNMETERED)
    val app = runBlocking { SurveyApp.open(ClientConfig(home.toString(), zone, null), KeyFile(home.resolveSibling("key")), device, scope) }
    // An invitation fills in the way into the study; it joins nothing by itself.
    arguments.getOrNull(1)?.let { app.tell(UiEvent.Link(it)) }
    application {
        val close = {
            runBlocking { app.end() }
            exitApplication()
        }
        Window(onCloseRequest = close, state = WindowState(size = DpSize(400.dp, 780.dp)), title = "Veldwerk") {
            VeldwerkTheme(DesktopFonts) { VeldwerkApp(app, Desktop(window, close)) }
        }
    }
}

/** A computer: it has files, and no camera that reads codes. */
private class Desktop(private val window: Frame, private val close: () -> Unit) : Platform {
    override suspend fun ask(what: UiAsk): UiOutcome = when (what) {
        UiAsk.Code -> UiOutcome.Refused(true)
        is UiAsk.File -> withContext(Dispatchers.IO) {
            val dialog = FileDialog(window).apply { isVisible = true }
            dialog.files.firstOrNull()?.let { UiOutcome.File(it.path) } ?: UiOutcome.Cancelled
        }
    }

    override fun leave() = close()
}

/** The key in a file beside the home, readable by its owner alone: for trying out on a computer, as the command line does. */
private class KeyFile(private val file: Path) : SecretStore {
    override fun loadKey(): ByteArray? = if (Files.exists(file)) Files.readAllBytes(file) else null

    override fun saveKey(key: ByteArray) {
        Files.createDirectories(file.parent)
        Files.deleteIfExists(file)
        val owner = java.nio.file.attribute.PosixFilePermissions.fromString("rw-------")
        if ("posix" in file.fileSystem.supportedFileAttributeViews()) {
            Files.createFile(file, java.nio.file.attribute.PosixFilePermissions.asFileAttribute(owner))
        }
        Files.write(file, key)
    }

    override fun forgetKey() { Files.deleteIfExists(file) }
}
