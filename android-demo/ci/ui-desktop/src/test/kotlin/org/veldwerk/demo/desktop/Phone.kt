package org.veldwerk.demo.desktop

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.veldwerk.ClientConfig
import org.veldwerk.SecretStore
import org.veldwerk.SurveyApp
import org.veldwerk.ui.UiAction
import org.veldwerk.ui.UiDevice
import org.veldwerk.ui.UiEvent
import org.veldwerk.ui.UiNetwork
import org.veldwerk.ui.UiScreen
import org.veldwerk.ui.UiView
import java.nio.file.Files
import java.nio.file.Path

/** A phone with the app on it, in front of the embedded server. */
class Phone(private val language: String) : AutoCloseable {
    private val folder: Path = Files.createTempDirectory("veldwerk")
    private val scope = CoroutineScope(Dispatchers.Default)
    private val server = ProcessBuilder(
        System.getProperty("veldwerk.program"), "--json", "serve", "--data", folder.resolve("server").toString(), "--listen", "127.0.0.1:0",
    ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    private val invitation: String = server.inputStream.bufferedReader().readLine().let { line ->
        Regex("\"settings_code\"\\s*:\\s*\"([^\"]*)\"").find(line)!!.groupValues[1].replace("\\/", "/")
    }
    private val safe = object : SecretStore {
        var key: ByteArray? = null
        override fun loadKey() = key
        override fun saveKey(key: ByteArray) { this.key = key }
        override fun forgetKey() { key = null }
    }
    val app: SurveyApp = runBlocking {
        val device = UiDevice(listOf("en-GB"), "Europe/Amsterdam", true, UiNetwork.UNMETERED)
        SurveyApp.open(ClientConfig(folder.resolve("home").toString(), "Europe/Amsterdam", null), safe, device, scope) { 1_764_288_000_000 }
    }

    fun view(): UiView = runBlocking { withTimeout(30_000) { app.settled() } }

    fun tap(id: String) {
        val view = view()
        val button = view.buttons().firstOrNull { it.id == id } ?: error("no $id in ${view.buttons().map { it.id }}")
        app.act(view.rev, button.action)
        view()
    }

    /** As far as the list of questionnaires. */
    fun join() {
        if (view().screen is UiScreen.Language) tap("language.$language")
        app.act(view().rev, UiAction.Typing("join.code", invitation))
        tap("dock.next")
        tap("join.self")
    }

    /** As far as the consent of the newcomers' questionnaire. */
    fun begin() {
        join()
        tap("form.pi_newcomers.start")
        repeat(2) { tap("dock.next") }
    }

    override fun close() {
        runBlocking { app.end() }
        scope.cancel()
        server.destroy()
        server.waitFor()
        folder.toFile().deleteRecursively()
    }
}
