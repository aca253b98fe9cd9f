package org.veldwerk

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.receiveAsFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.veldwerk.ui.UiAction
import org.veldwerk.ui.UiChoiceRow
import org.veldwerk.ui.UiDevice
import org.veldwerk.ui.UiEffect
import org.veldwerk.ui.UiEvent
import org.veldwerk.ui.UiView
import java.util.concurrent.atomic.AtomicLong

/** What is drawn, whether nothing is under way, and how many touches and events it is made of. */
data class Shown(val view: UiView, val settled: Boolean, val taken: Long)

/**
 * The app, for a shell that draws it: collect [shown], hand touches to [act] and what happens to [tell], do each of [effects]
 * once. It pumps its [AppHandle] in [scope] on one background thread, and tells the time when the view asks for it.
 */
class SurveyApp private constructor(
    private val handle: AppHandle,
    private val background: CoroutineDispatcher,
    private val scope: CoroutineScope,
    private val clock: () -> Long,
    first: AppUpdate,
) {
    private val latest = MutableStateFlow(Shown(first.view, first.settled, 0))
    private val pending = Channel<UiEffect>(Channel.UNLIMITED)
    private var alarm: Job? = null

    /** How many touches and events came, and how many of them the core has: the second on the background thread alone. */
    private val came = AtomicLong()
    private var handed = 0L

    /** What is to be drawn now. */
    val shown: StateFlow<Shown> = latest.asStateFlow()

    /** What is to be done, each once and in order, by one collector. */
    val effects: Flow<UiEffect> = pending.receiveAsFlow()

    /** Something was touched on the view of revision [seen]. May be called on the main thread. */
    fun act(seen: ULong, action: UiAction) {
        val at = clock()
        enter { handle.act(at, seen, action) }
    }

    /** Something has happened. May be called on the main thread. */
    fun tell(event: UiEvent) {
        val at = clock()
        enter { handle.tell(at, event) }
    }

    /** Rows of a long list, by the id of its item. */
    suspend fun rows(list: String, from: UInt, limit: UInt): List<UiChoiceRow> =
        withContext(background) { handle.rows(list, from, limit) }

    /** Waits until all that came before is done and nothing is under way, and gives what is shown then. */
    suspend fun settled(): UiView {
        val all = came.get()
        return latest.first { it.settled && it.taken >= all }.view
    }

    /** Ends the app and closes its home: what was typed is written before. */
    suspend fun end() {
        tell(UiEvent.Background)
        stop()
    }

    /** Ends the app as it stands, as if its process went away. */
    internal suspend fun stop() {
        withContext(background) { handle.end() }
        pump.join()
        handle.close()
    }

    // Handed over where the pump runs: an update then holds all that was handed over before it.
    private fun enter(hand: () -> Unit) {
        came.incrementAndGet()
        scope.launch(background) {
            hand()
            handed += 1
        }
    }

    private val pump: Job = scope.launch(background) {
        take(first)
        while (true) take(handle.next() ?: break)
        alarm?.cancel()
        pending.close()
    }

    private fun take(update: AppUpdate) {
        update.effects.forEach { pending.trySend(it) }
        latest.value = Shown(update.view, update.settled, handed)
        alarm?.cancel()
        alarm = update.view.wakeAt?.let { at ->
            scope.launch(background) {
                delay(at - clock())
                handle.tell(clock(), UiEvent.Tick)
            }
        }
    }

    companion object {
        /** Opens the app where it was left, off the main thread. What stands in the way of its home is a screen. */
        suspend fun open(
            config: ClientConfig,
            secrets: SecretStore,
            device: UiDevice,
            scope: CoroutineScope,
            clock: () -> Long = System::currentTimeMillis,
        ): SurveyApp {
            // The core does one thing at a time: one thread is enough, and keeps the order.
            val background = Dispatchers.IO.limitedParallelism(1)
            return withContext(background) {
                val handle = AppHandle.open(config, secrets, device)
                handle.tell(clock(), UiEvent.Foreground)
                val first = handle.next() ?: throw CancellationException("the app has ended")
                SurveyApp(handle, background, scope, clock, first)
            }
        }
    }
}
