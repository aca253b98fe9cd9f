package org.veldwerk

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.io.TempDir
import java.net.CookieManager
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.nio.file.Path
import kotlin.io.path.readBytes
import kotlin.io.path.readLines
import kotlin.io.path.writeBytes

/** A phone, and the servers it speaks to. */
abstract class PhoneTest {
    @TempDir lateinit var folder: Path
    private val servers = mutableListOf<TryOutServer>()

    /** The one that was started last. */
    protected val server: TryOutServer get() = servers.last()

    protected val keychain = object : SecretStore {
        var kept: ByteArray? = null
        override fun loadKey() = kept
        override fun saveKey(key: ByteArray) { kept = key }
        override fun forgetKey() { kept = null }
    }

    @AfterEach
    fun stop() = servers.forEach { it.stop() }

    protected fun open(secrets: SecretStore = keychain, home: String = "home") = Client.open(
        ClientConfig(
            folder.resolve(home).toString(), "Europe/Amsterdam",
            FixedInputs(nowMs = 1_768_478_400_000, seed = 7u, deviceId = "twin"),
        ),
        secrets,
    )

    protected fun joined(client: Client): FormSummary {
        val project = client.addProject(started().settingsCode, null).project
        val outcomes = runBlocking { client.refresh(project.id, SyncHandle()) }.forms
        assertTrue(outcomes.all { it.problem == null }, outcomes.toString())
        return client.forms(project.id).single { it.formId == "pi_newcomers" }
    }

    /** A try-out server of its own, with the two questionnaires. */
    protected fun started() = TryOutServer.start(folder.resolve("server-${servers.size}")).also { servers += it }

    /** A record of the newcomer, and with a recording if that is asked for. */
    protected fun finalized(client: Client, form: FormSummary, recording: ByteArray? = null): Finalization.Finalized =
        client.startDraft(form.id, "ar").use { draft ->
            for (event in Resources.events()) draft.answer(event.node, event.value)
            recording?.let {
                val file = folder.resolve("recording.m4a").apply { writeBytes(it) }
                draft.attach(VOICE, file.toString(), true)
            }
            draft.finalize() as Finalization.Finalized
        }

    companion object {
        const val VOICE = "/data/main/g_end/better_voice"
    }
}

/** `veldwerk serve --json`, as anybody starts it. */
class TryOutServer(private val process: Process, val settingsCode: String, private val page: URI) {
    private val browser = HttpClient.newBuilder().cookieHandler(CookieManager()).followRedirects(HttpClient.Redirect.NORMAL).build()

    /** The bytes of a record as the server holds them. */
    fun record(form: String, number: Int): ByteArray {
        get(page) // the key becomes a cookie
        return get(page.resolve("/forms/$form/records/$number/submission.xml"))
    }

    private fun get(address: URI): ByteArray {
        val answer = browser.send(HttpRequest.newBuilder(address).build(), HttpResponse.BodyHandlers.ofByteArray())
        assertEquals(200, answer.statusCode(), address.path)
        return answer.body()
    }

    fun stop() { process.destroy(); process.waitFor() }

    companion object {
        fun start(data: Path): TryOutServer {
            val command = listOf(System.getProperty("veldwerk.program"), "--json", "serve", "--data", data.toString(), "--listen", "127.0.0.1:0")
            val process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
            val line = process.inputStream.bufferedReader().readLine() ?: error("serve said nothing")
            return TryOutServer(process, FlatJson.text(line, "settings_code"), URI(FlatJson.text(line, "page")))
        }
    }
}

class Event(val node: String, val value: String?)

object Resources {
    private val root = Path.of(System.getProperty("veldwerk.root"))
    fun events() = root.resolve("cli/src/demo/cast/newcomer-ar.jsonl").readLines().map { Event(FlatJson.text(it, "ref"), FlatJson.text(it, "value")) }
    fun golden() = root.resolve("tests/golden/newcomer-ar.xml").readBytes()
}

/** Enough of JSON for flat objects of texts. */
object FlatJson {
    fun text(line: String, name: String): String =
        Regex("\"$name\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)*)\"").find(line)?.groupValues?.get(1)?.replace("\\/", "/")
            ?: error("no $name in $line")
}
