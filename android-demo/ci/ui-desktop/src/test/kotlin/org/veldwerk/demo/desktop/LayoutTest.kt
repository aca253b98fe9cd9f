package org.veldwerk.demo.desktop

import androidx.compose.ui.Modifier
import androidx.compose.foundation.layout.requiredSize
import androidx.compose.foundation.layout.Box
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.test.junit4.v2.createComposeRule
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollTo
import androidx.compose.ui.unit.dp
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.veldwerk.ui.UiAction
import org.veldwerk.ui.UiScreen

/** What pictures do not tell: sizes of what is touched, and that a touch reaches the core. */
class LayoutTest {
    @get:Rule val rule = createComposeRule()

    @Test fun whatIsTouchedIsLargeEnoughAndBackMirrors() {
        Phone("ar").use { phone ->
            phone.begin()
            val view = phone.view()
            rule.setContent { Box(Modifier.requiredSize(360.dp, 780.dp)) { Drawn(view) } }
            val touched = rule.onAllNodes(SemanticsMatcher.keyIsDefined(SemanticsActions.OnClick)).fetchSemanticsNodes()
            assertTrue(touched.size >= 4)
            val least = with(rule.density) { 48.dp.toPx() }
            for (node in touched) {
                val tag = node.config.getOrElseNullable(SemanticsProperties.TestTag) { null }
                assertTrue("$tag is ${node.size}", node.size.width >= least - 0.5f && node.size.height >= least - 0.5f)
            }
            fun left(tag: String) = rule.onNodeWithTag(tag).fetchSemanticsNode().positionInRoot.x
            assertTrue("back stands where reading begins", left("dock.back") > left("dock.next"))
        }
    }

    @Test fun aTouchGivesTheActionBackAsItWasMade() {
        Phone("nl").use { phone ->
            phone.begin()
            val view = phone.view()
            val given = mutableListOf<UiAction>()
            rule.setContent { Drawn(view) { given += it } }
            rule.onNodeWithTag("q:/data/intro/consent=yes").performScrollTo().performClick()
            val yes = view.buttons().single { it.id == "q:/data/intro/consent=yes" }
            assertEquals(listOf(yes.action), given)
            given.forEach { phone.app.act(view.rev, it) }
            val question = phone.view().screen as UiScreen.Question
            assertTrue(phone.view().buttons().single { it.id == yes.id }.chosen && question.v1.items.isNotEmpty())
        }
    }
}
