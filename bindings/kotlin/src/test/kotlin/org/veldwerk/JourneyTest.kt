package org.veldwerk

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.veldwerk.ui.UiAction
import org.veldwerk.ui.UiButton
import org.veldwerk.ui.UiDevice
import org.veldwerk.ui.UiEvent
import org.veldwerk.ui.UiField
import org.veldwerk.ui.UiNetwork
import org.veldwerk.ui.UiText
import org.veldwerk.ui.UiView
import java.nio.file.Path
import kotlin.io.path.readLines
import kotlin.reflect.KClass

/** The journeys of the core's own tests, through the facade, the border and the embedded server. */
class JourneyTest : PhoneTest() {
    @Test fun newcomerInArabic() = travel("newcomer", "ar")
    @Test fun newcomerInDutch() = travel("newcomer", "nl")

    @Test fun twoTapsOnOneViewAreOne() = runBlocking {
        val phone = Traveller("en")
        phone.tap("language.en")
        val view = phone.view()
        val scan = view.found(UiButton::class).single { it.id == "join.scan" }
        repeat(2) { phone.app.act(view.rev, scan.action) }
        phone.view()
        phone.end()
        val effects = mutableListOf<Any>()
        phone.app.effects.collect { effects += it }
        assertEquals(1, effects.size, effects.toString())
    }

    private fun travel(journey: String, language: String) = runBlocking {
        val phone = Traveller(language)
        val lines = Path.of(System.getProperty("veldwerk.root"), "tests/journeys/$journey.jsonl").readLines()
        val walked = lines.filter { it.startsWith("{") }
        walked.forEach { phone.walk(it) }
        phone.end()
        assertTrue(walked.size > 10)
    }

    private inner class Traveller(private val language: String) {
        private val code = started().settingsCode
        private var now = 1_764_288_000_000
        private var scope = CoroutineScope(Dispatchers.Default)
        lateinit var app: SurveyApp
            private set

        init { runBlocking { open() } }

        private suspend fun open() {
            val device = UiDevice(listOf("en-GB"), "Europe/Amsterdam", true, UiNetwork.UNMETERED)
            app = SurveyApp.open(ClientConfig(folder.resolve("app").toString(), "Europe/Amsterdam", null), keychain, device, scope) { now }
        }

        suspend fun view(): UiView = withTimeout(30_000) { app.settled() }

        suspend fun end() {
            app.end()
            scope.cancel()
        }

        private suspend fun kill() {
            app.stop()
            scope.cancel()
            scope = CoroutineScope(Dispatchers.Default)
            open()
        }

        suspend fun tap(id: String) {
            val view = view()
            val button = view.found(UiButton::class).singleOrNull { it.id == filled(id) } ?: error("no $id in ${view.ids()}")
            app.act(view.rev, button.action)
        }

        private fun filled(text: String) = text.replace("\$lang", language).replace("\$code", code)

        suspend fun walk(line: String) {
            val (what, value) = Json.parseToJsonElement(line).jsonObject.entries.single()
            when (what) {
                "tap" -> value.texts.forEach { tap(it) }
                "type" -> app.act(view().rev, UiAction.Typing(filled(value.texts[0]), filled(value.texts[1])))
                "tell" -> app.tell(
                    when (value.text) {
                        "foreground" -> UiEvent.Foreground
                        "background" -> UiEvent.Background
                        "back" -> UiEvent.SystemBack
                        "tick" -> UiEvent.Tick
                        else -> error(line)
                    },
                )
                "at" -> { now += value.text.toLong(); app.tell(UiEvent.Tick) }
                "kill" -> kill()
                "expect" -> expect(value, line)
                else -> error("no step $line")
            }
        }

        private suspend fun expect(expected: JsonElement, line: String) {
            val view = view()
            val said = view.found(UiText::class).map { it.plain }
            val buttons = view.found(UiButton::class).associateBy { it.id }
            for ((what, value) in expected.jsonObject) when (what) {
                "screen" -> assertEquals(value.text.replace("_", ""), view.screen::class.simpleName!!.lowercase(), line)
                "sheet" -> assertEquals(value.text, view.sheet?.let { it::class.simpleName!!.lowercase() } ?: "", line)
                "ids" -> value.texts.forEach { assertTrue(filled(it) in view.ids(), "$line: ${view.ids()}") }
                "absent" -> value.texts.forEach { assertTrue(filled(it) !in view.ids(), line) }
                "says" -> value.texts.forEach { assertTrue(said.any { text -> word(it, view) in text }, "$line: $said") }
                "silent" -> value.texts.forEach { assertTrue(said.none { text -> word(it, view) in text }, line) }
                "words" -> value.jsonObject.forEach { (id, key) -> assertEquals(word(key.text, view), buttons[id]?.text?.plain, line) }
                "chosen" -> value.texts.forEach { assertTrue(buttons[filled(it)]?.chosen == true, line) }
                "part" -> assertEquals(value.texts.map { it.toUInt() }, view.progress?.let { listOf(it.part, it.parts) }, line)
                "focus" -> assertEquals(value.text, view.focus, line)
                "fields" -> value.jsonObject.forEach { (id, text) ->
                    assertEquals(filled(text.text), view.found(UiField::class).single { it.id == id }.text, line)
                }
                else -> error("no expectation $what in $line")
            }
        }

        private fun word(key: String, view: UiView) = Words.of(key, view.language)
    }
}

private fun UiView.ids() = found(UiButton::class).map { it.id } + found(UiField::class).map { it.id }

private val JsonElement.text: String get() = jsonPrimitive.content
private val JsonElement.texts: List<String> get() = if (this is JsonArray) map { it.text } else listOf(text)

/** Every value of a kind in a view, wherever it stands. */
private fun <T : Any> UiView.found(kind: KClass<T>): List<T> {
    val found = mutableListOf<T>()
    fun look(value: Any?) {
        when {
            value == null -> return
            kind.isInstance(value) -> found += kind.java.cast(value)
            value is List<*> -> return value.forEach { look(it) }
        }
        if (value is Enum<*> || !value.javaClass.name.startsWith("org.veldwerk.ui.")) return
        for (field in value.javaClass.declaredFields) {
            if (java.lang.reflect.Modifier.isStatic(field.modifiers)) continue
            field.isAccessible = true
            look(field.get(value))
        }
    }
    look(this)
    return found
}

/** The words of the app, from the table that the core has them from. */
private object Words {
    private val cell = Regex("(?:^|,)(?:\"((?:[^\"]|\"\")*)\"|([^,\"]*))")
    private val rows = Path.of(System.getProperty("veldwerk.root"), "core/src/text/words.csv").readLines().map { line ->
        cell.findAll(line).map { it.groupValues[1].replace("\"\"", "\"") + it.groupValues[2] }.toList()
    }

    fun of(key: String, language: String): String {
        val column = rows.first().indexOf(language)
        return rows.first { it[0] == key }[column]
    }
}
