package org.veldwerk.demo.desktop

import org.veldwerk.ui.UiButton
import org.veldwerk.ui.UiView
import java.lang.reflect.Modifier

/** Everything on a view that can be touched, wherever it stands. */
fun UiView.buttons(): List<UiButton> {
    val found = mutableListOf<UiButton>()
    fun look(value: Any?) {
        when (value) {
            null, is Enum<*> -> return
            is UiButton -> found += value
            is List<*> -> value.forEach { look(it) }
            else -> if (value.javaClass.name.startsWith("org.veldwerk.ui.")) {
                value.javaClass.declaredFields.filterNot { Modifier.isStatic(it.modifiers) }.forEach { it.isAccessible = true; look(it.get(value)) }
            }
        }
    }
    look(if (sheet != null) sheet else this)
    return found
}
