package org.veldwerk

import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assertions.fail
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

/** The bindings, driven as an app drives them, against the embedded server. The Rust twin is `tests/twin.rs`. */
class TwinTest : PhoneTest() {
    @Test
    fun `the newcomer in Arabic gives the bytes of the Rust twin`() {
        open().use { client ->
            val form = joined(client)
            client.startDraft(form.id, "ar").use { draft ->
                val first = draft.screen().questions.single()
                assertEquals("ar", first.label.language)
                assertTrue(first.label.rightToLeft)
                for (event in Resources.events()) draft.answer(event.node, event.value)
                val outcome = draft.finalize()
                assertTrue(outcome is Finalization.Finalized, outcome.toString())
            }
            val handle = SyncHandle()
            val seen = mutableListOf<SyncProgress>()
            val sent = runBlocking {
                val watching = launch { while (true) seen += handle.nextProgress() ?: break }
                client.send(client.projects().single().id, SendUntil.OnePass, handle).also { watching.join() }
            }
            assertTrue(sent.single().state is SendState.Sent, sent.toString())
            assertTrue(seen.all { it.step == SyncStep.Record(sent.single().id) } && seen.isNotEmpty(), seen.toString())
            assertArrayEquals(Resources.golden(), server.record("pi_newcomers", 1))
        }
    }

    @Test
    fun `a refused answer changes nothing, and an unanswered question holds the screen`() {
        open().use { client ->
            client.startDraft(joined(client).id, "nl").use { draft ->
                val refused = assertThrows<SurveyException.InvalidAnswer> { draft.answer("/data/intro/consent", "perhaps") }
                assertEquals("invalid-choice", refused.code)
                draft.goTo("/data/intro/consent")
                when (val moved = draft.next(MovePolicy.ON_MOVE)) {
                    is Moved.Refused -> {
                        assertTrue(moved.violations.single().missing)
                        assertTrue(moved.screen.questions.single().violation!!.missing)
                    }
                    is Moved.To -> fail("the screen let go")
                }
                val shown = draft.answer("/data/intro/consent", "yes").questions.single()
                assertEquals(Pair("yes", null), Pair(shown.value, shown.violation))
                when (val moved = draft.next(MovePolicy.ON_MOVE)) {
                    is Moved.Refused -> fail("the screen holds")
                    is Moved.To -> assertEquals("/data/intro/adult", moved.screen.questions.single().node)
                }
            }
        }
    }

    @Test
    fun `a draft opens again where it was left`() {
        val draftId = open().use { client ->
            client.startDraft(joined(client).id, "ti").use { draft ->
                draft.answer("/data/intro/consent", "yes")
                draft.goTo("/data/intro/adult")
                draft.draftId()
            }
        }
        open().use { client ->
            client.openDraft(draftId).use { draft ->
                assertEquals("/data/intro/adult", draft.screen().questions.single().node)
                assertEquals("ti", draft.screen().questions.single().label.language)
            }
        }
    }

    @Test
    fun `a screen made anew gets the session that is open`() {
        open().use { client ->
            val form = joined(client)
            client.startDraft(form.id, "nl").use { draft ->
                client.openDraft(draft.draftId()).use { again ->
                    again.answer("/data/intro/consent", "yes")
                    assertEquals("yes", draft.goTo("/data/intro/consent").questions.single().value)
                }
            }
            val summary = client.drafts(null).single()
            assertEquals(form.id, summary.form)
            assertEquals(client.projects().single().id, summary.project)
        }
    }

    @Test
    fun `work that is cancelled ends, and says so`() {
        open().use { client ->
            val form = joined(client)
            val handle = SyncHandle()
            handle.cancel()
            assertThrows<SurveyException.Interrupted> { runBlocking { client.refresh(client.projects().single().id, handle) } }
            runBlocking { assertEquals(null, handle.nextProgress()) }
            client.networkChanged(Network.UNMETERED)
            assertEquals(form.id, client.forms(client.projects().single().id).first { it.formId == form.formId }.id)
        }
    }

    @Test
    fun `a recording goes in and comes back in pieces`() {
        open().use { client ->
            client.startDraft(joined(client).id, "nl").use { draft ->
                for (event in Resources.events()) draft.answer(event.node, event.value)
                val bytes = ByteArray(200_000) { (it % 251).toByte() }
                draft.attachmentWriter("/data/main/g_end/better_voice", "m4a").use { writer ->
                    bytes.asList().chunked(70_000).forEach { writer.write(it.toByteArray()) }
                    writer.finish()
                }
                val file = draft.attachments().single()
                val pieces = (0uL until file.bytes step 90_000).map { client.attachmentRead(file.id, it, 90_000u) }
                assertArrayEquals(bytes, pieces.reduce(ByteArray::plus))
                val refused = assertThrows<SurveyException.InvalidAnswer> {
                    draft.attachmentWriter("/data/intro/consent", "m4a").use { it.finish() }
                }
                assertEquals("invalid-choice", refused.code)
                assertEquals(1, draft.attachments().size)
            }
        }
    }

    @Test
    fun `the program has words of its own`() {
        assertEquals("Verder", word("action.next", "nl"))
        assertEquals("Telefon dolu. Önce yer açın.", errorText("storage-full", "tr"))
        assertTrue(reasonText("form-closed", "ar").isNotEmpty())
    }

    @Test
    fun `errors say what to do`() {
        open().use { client ->
            client.pauseStorage()
            assertThrows<SurveyException.StoragePaused> { client.projects() }
            client.resumeStorage()
            assertTrue(client.projects().isEmpty())
            assertThrows<SurveyException.StoreInUse> { open() }
            assertThrows<SurveyException.InvalidProject> { client.addProject("http://example.org/", null) }
        }
        val other = object : SecretStore {
            override fun loadKey() = ByteArray(32) { 1 }
            override fun saveKey(key: ByteArray) = fail<Unit>("a key was there")
            override fun forgetKey() = fail<Unit>("it is needed")
        }
        assertThrows<SurveyException.WrongKey> { open(other) }
        val broken = object : SecretStore {
            override fun loadKey(): ByteArray? = throw IllegalStateException("keychain locked")
            override fun saveKey(key: ByteArray) = fail<Unit>("it cannot be read")
            override fun forgetKey() = fail<Unit>("it cannot be read")
        }
        assertThrows<SurveyException.KeyUnavailable> { open(broken) }
    }

    @Test
    fun `a closed client says so`() {
        val client = open()
        client.close()
        assertThrows<IllegalStateException> { client.projects() }
    }
}
