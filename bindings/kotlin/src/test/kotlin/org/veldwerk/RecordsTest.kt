package org.veldwerk

import com.sun.net.httpserver.HttpServer
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assertions.fail
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.io.RandomAccessFile
import java.net.InetSocketAddress
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import kotlin.io.path.fileSize
import kotlin.io.path.writeBytes

/** What becomes of records and projects, through the calls that an app has for it. */
class RecordsTest : PhoneTest() {
    @Test
    fun `a record leaves on a stick, comes in on another phone, and arrives from there`() {
        val stick = folder.resolve("stick").toString()
        val recording = ByteArray(300_000) { (it % 249).toByte() }
        val code = open().use { client ->
            val form = joined(client)
            val record = finalized(client, form, recording)
            val out = client.exportRecords(ExportSelection.Unsent(form.project), stick).single()
            assertEquals(Pair(record.instanceId, null), Pair(out.instanceId, out.problem))
            assertTrue(out.folder != null && out.missing.isEmpty(), out.toString())
            // Given up here: it is on the stick.
            assertEquals(Discarded(1u, 0u), client.discard(Records.One(record.record), stick))
            assertTrue(client.outbox(null).isEmpty())
            server.settingsCode
        }
        open(otherKeychain(), "another phone").use { client ->
            val project = client.addProject(code, null).project.id
            val came = client.importRecords(project, stick, false).single()
            val arrival = came.arrival as? Arrival.Queued ?: return fail(came.toString())
            assertTrue(arrival.proven)
            assertTrue(client.importRecords(project, stick, false).single().arrival is Arrival.Present)
            val file = client.recordAttachments(arrival.record).single()
            assertArrayEquals(recording, client.attachmentRead(file.id, 0u, 1_000_000u))
            assertTrue(sent(client, project).single().state is SendState.Sent)
            assertEquals(came.instanceId, client.outbox(project).single().instanceId)
            assertEquals(1uL, client.forget(Records.OfProject(project)))
            assertEquals(came.instanceId, client.receipts(project).single().instanceId)
            assertTrue(client.importRecords(project, stick, false).single().arrival is Arrival.SentBefore)
        }
        val arrived = String(server.record("pi_newcomers", 1))
        assertTrue("better_voice" in arrived)
    }

    @Test
    fun `what is no export is told record by record`() {
        open().use { client ->
            val project = joined(client).project
            val nowhere = assertThrows<SurveyException.Internal> {
                client.importRecords(project, folder.resolve("nowhere").toString(), false)
            }
            assertEquals("io", nowhere.code)
            val broken = folder.resolve("stick/broken").also { it.toFile().mkdirs() }
            broken.resolve("record.json").writeBytes("{}".toByteArray())
            val told = client.importRecords(project, folder.resolve("stick").toString(), false).single()
            assertEquals(Pair("broken", null), Pair(told.folder, told.arrival))
            assertTrue(told.problem != null)
        }
    }

    @Test
    fun `a file of a record is replaced under its name, and given up`() {
        open().use { client ->
            val record = finalized(client, joined(client), ByteArray(1000) { 1 }).record
            val name = client.recordAttachments(record).single().name
            val better = folder.resolve("better.m4a").apply { writeBytes(ByteArray(2000) { 2 }) }
            client.replaceAttachment(record, name, better.toString())
            val file = client.recordAttachments(record).single()
            assertEquals(Pair(name, 2000uL), Pair(file.name, file.bytes))
            assertArrayEquals(ByteArray(2000) { 2 }, client.attachmentRead(file.id, 0u, 9000u))
            client.dropAttachment(record, name)
            assertTrue(client.recordAttachments(record).isEmpty())
            assertThrows<SurveyException.NotFound> { client.dropAttachment(record, name) }
            assertThrows<SurveyException.NotFound> { client.replaceAttachment(record, name, better.toString()) }
            assertTrue(sent(client, client.projects().single().id).single().state is SendState.Sent)
        }
    }

    @Test
    fun `a project that moves is renewed, and what waited is sent`() {
        open().use { client ->
            val form = joined(client)
            finalized(client, form)
            server.stop()
            val waiting = sent(client, form.project).single().state as SendState.Waiting
            assertEquals("offline", waiting.code)

            val moved = started()
            val refused = assertThrows<SurveyException.InvalidProject> {
                client.renewProject(form.project, moved.settingsCode, false)
            }
            assertEquals("other-server", refused.code)
            val renewed = client.renewProject(form.project, moved.settingsCode, true)
            assertEquals(form.project, renewed.project.id)
            assertEquals(1uL, client.retry(Records.OfForm(form.project, form.formId)))
            runBlocking { client.refresh(form.project, SyncHandle()) }
            assertTrue(sent(client, form.project).single().state is SendState.Sent)
            assertArrayEquals(Resources.golden(), moved.record("pi_newcomers", 1))

            val other = client.addProject("https://survey.example.org/v1/key/abc/projects/1", null).project.id
            val same = assertThrows<SurveyException.InvalidProject> { client.renewProject(other, moved.settingsCode, true) }
            assertEquals("project-present", same.code)
        }
    }

    @Test
    fun `a sending on the road is followed, cancelled, and leaves the record ready`() {
        SilentServer().use { silent ->
            open().use { client ->
                val form = joined(client)
                finalized(client, form, ByteArray(50_000) { 3 })
                client.renewProject(form.project, silent.address, true)
                val handle = SyncHandle()
                runBlocking {
                    val sending = async { runCatching { client.send(form.project, SendUntil.OnePass, handle) } }
                    val told = generateSequence { runBlocking { handle.nextProgress() } }
                    val step = withContext(Dispatchers.IO) { told.first { it.step is SyncStep.Record } }
                    assertTrue((step.ofBytes ?: 0u) > 50_000u, step.toString())
                    withContext(Dispatchers.IO) { silent.asked.await() }
                    assertTrue(client.outbox(null).single().state is SendState.Sending)
                    handle.cancel()
                    assertTrue(sending.await().exceptionOrNull() is SurveyException.Interrupted)
                    assertTrue(client.outbox(null).single().state is SendState.Ready)
                }
            }
        }
    }

    @Test
    fun `a refresh on the road is followed and cancelled`() {
        SilentServer().use { silent ->
            open().use { client ->
                val project = client.addProject(silent.address, null).project.id
                val handle = SyncHandle()
                runBlocking {
                    val refreshing = async { runCatching { client.refresh(project, handle) } }
                    assertEquals(SyncStep.FormList, handle.nextProgress()!!.step)
                    withContext(Dispatchers.IO) { silent.asked.await() }
                    handle.cancel()
                    assertTrue(refreshing.await().exceptionOrNull() is SurveyException.Interrupted)
                }
            }
        }
    }

    @Test
    fun `what a damaged storage has lost of a draft is shown, and holds up finalising until somebody has looked`() {
        val (draftId, _) = draftOnManyPages()
        damaged({ it.drafts.damaged > 0u && it.forms.damaged == 0uL }) { client, salvage ->
            client.openDraft(draftId).use { draft ->
                if (draft.unreplayed().isEmpty()) return@damaged false
                assertEquals(1uL, salvage.drafts.damaged)
                val refused = assertThrows<SurveyException.InvalidAnswer> { draft.finalize() }
                assertEquals("unreplayed", refused.code)
                assertTrue(client.drafts(null).single().unreplayed > 0u)
                draft.acceptUnreplayed()
                assertTrue(draft.unreplayed().isEmpty())
                assertTrue(draft.finalize() is Finalization.Finalized)
                assertEquals(salvage.quarantine, client.quarantines().single().name)
                client.deleteQuarantine(salvage.quarantine)
                assertTrue(client.quarantines().isEmpty())
                true
            }
        }
    }

    @Test
    fun `a form that a damaged storage has lost is told, and a refresh brings it and its draft back`() {
        val (draftId, project) = draftOnManyPages()
        damaged({ it.drafts.damaged == 0uL && it.forms.damaged > 0u }) { client, _ ->
            val isLost = runCatching { client.openDraft(draftId).use { } }.exceptionOrNull() ?: return@damaged false
            assertTrue(isLost is SurveyException.StorageDamaged, isLost.toString())
            runBlocking { client.refresh(project, SyncHandle()) }
            client.openDraft(draftId).use { draft -> assertTrue(draft.finalize() is Finalization.Finalized) }
            true
        }
    }

    /** A draft whose journal takes many pages, and its project. */
    private fun draftOnManyPages() = open().use { client ->
        val form = joined(client)
        client.startDraft(form.id, "nl").use { draft ->
            for (event in Resources.events()) draft.answer(event.node, event.value)
            // Fewer than bring a snapshot, which would make up for what is lost before it.
            for (n in 0 until 120) draft.answer(STORY, "$n ".repeat(100))
            Pair(draft.draftId(), form.project)
        }
    }

    /** Empties one page of the database after the other, the last first, until one that is [wanted] has shown what is looked for. */
    private fun damaged(wanted: (Salvage) -> Boolean, shown: (Client, Salvage) -> Boolean) {
        val whole = folder.resolve("home")
        val pages = whole.resolve("store.db").fileSize() / PAGE
        for (page in pages - 1 downTo 1) {
            val home = "damaged $page"
            whole.toFile().copyRecursively(folder.resolve(home).toFile())
            RandomAccessFile(folder.resolve(home).resolve("store.db").toFile(), "rw").use {
                it.seek(page * PAGE)
                it.write(ByteArray(PAGE.toInt()))
            }
            // As if a call had met the damage.
            folder.resolve(home).resolve("suspect").writeBytes(ByteArray(0))
            open(home = home).use { client ->
                val salvage = client.opening().salvage
                if (salvage != null && wanted(salvage) && shown(client, salvage)) return
            }
            folder.resolve(home).toFile().deleteRecursively()
        }
        fail<Unit>("none of $pages pages")
    }

    private fun sent(client: Client, project: Long) = runBlocking { client.send(project, SendUntil.OnePass, SyncHandle()) }

    private fun otherKeychain() = object : SecretStore {
        var kept: ByteArray? = null
        override fun loadKey() = kept
        override fun saveKey(key: ByteArray) { kept = key }
        override fun forgetKey() { kept = null }
    }

    private companion object {
        const val PAGE = 4096L
        const val STORY = "/data/main/g_time/wait_other"
    }
}

/** Says that it takes records, and never answers anything else. */
private class SilentServer : AutoCloseable {
    val asked = CountDownLatch(1)
    private val over = CountDownLatch(1)
    private val threads = Executors.newCachedThreadPool()
    private val server = HttpServer.create(InetSocketAddress("127.0.0.1", 0), 0)
    val address get() = "http://127.0.0.1:${server.address.port}"

    init {
        server.executor = threads
        server.createContext("/") { exchange ->
            if (exchange.requestMethod == "HEAD") {
                exchange.responseHeaders.add("X-OpenRosa-Version", "1.0")
                exchange.sendResponseHeaders(204, -1)
            } else {
                exchange.requestBody.readAllBytes()
                asked.countDown()
                over.await()
            }
            exchange.close()
        }
        server.start()
    }

    override fun close() {
        over.countDown()
        server.stop(0)
        threads.shutdownNow()
    }
}
