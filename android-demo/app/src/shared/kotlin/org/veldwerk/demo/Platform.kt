package org.veldwerk.demo

import org.veldwerk.ui.UiAsk
import org.veldwerk.ui.UiOutcome

/** The hardware, and what a system does for an app. Phones, desktops and tests each have their own. */
interface Platform {
    /** Asks the device or the person for something. */
    suspend fun ask(what: UiAsk): UiOutcome

    /** Leaves the app. */
    fun leave()
}
