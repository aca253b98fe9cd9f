package org.veldwerk.demo

import androidx.compose.foundation.Canvas
import androidx.compose.foundation.layout.size
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Rect
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.Path
import androidx.compose.ui.graphics.StrokeCap
import androidx.compose.ui.graphics.StrokeJoin
import androidx.compose.ui.graphics.drawscope.DrawScope
import androidx.compose.ui.graphics.drawscope.Stroke
import androidx.compose.ui.graphics.drawscope.scale
import androidx.compose.ui.unit.Dp
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.dp
import org.veldwerk.ui.UiStage

/** Our own drawings on a field of 24; those with a direction mirror with the layout. */
enum class Icon(val mirrors: Boolean) { Back(true), Next(true), Home(false), Hide(false), Globe(false), Tick(false), Lens(true), Care(false), Saved(false), Waiting(false), Sending(false), Received(false) }

fun iconOf(stage: UiStage) = when (stage) {
    UiStage.SAVED -> Icon.Saved
    UiStage.WAITING -> Icon.Waiting
    UiStage.SENDING -> Icon.Sending
    UiStage.RECEIVED -> Icon.Received
    UiStage.ATTENTION -> Icon.Care
}

@Composable
fun Drawn(icon: Icon, color: Color, size: Dp = 24.dp) {
    Canvas(Modifier.size(size)) {
        val turned = icon.mirrors && layoutDirection == LayoutDirection.Rtl
        scale(if (turned) -1f else 1f, 1f) { stroke(icon, color) }
    }
}

private fun DrawScope.stroke(icon: Icon, color: Color) {
    val unit = size.width / 24f
    val pen = Stroke(2f * unit, cap = StrokeCap.Round, join = StrokeJoin.Round)
    fun line(vararg points: Float) {
        val path = Path()
        points.toList().chunked(2).forEachIndexed { index, (x, y) ->
            if (index == 0) path.moveTo(x * unit, y * unit) else path.lineTo(x * unit, y * unit)
        }
        drawPath(path, color, style = pen)
    }
    fun circle(x: Float, y: Float, radius: Float) = drawCircle(color, radius * unit, Offset(x * unit, y * unit), style = pen)
    fun arc(box: Rect, start: Float, sweep: Float) = drawArc(
        color, start, sweep, false, Offset(box.left * unit, box.top * unit), Size(box.width * unit, box.height * unit), style = pen,
    )
    when (icon) {
        Icon.Back -> { line(20f, 12f, 4f, 12f); line(11f, 5f, 4f, 12f, 11f, 19f) }
        Icon.Next -> { line(4f, 12f, 20f, 12f); line(13f, 5f, 20f, 12f, 13f, 19f) }
        Icon.Home -> { line(3f, 11f, 12f, 3f, 21f, 11f); line(6f, 10f, 6f, 20f, 18f, 20f, 18f, 10f) }
        Icon.Hide -> { arc(Rect(2f, 6f, 22f, 22f), 205f, 130f); arc(Rect(2f, 2f, 22f, 18f), 25f, 130f); circle(12f, 12f, 2.5f); line(5f, 20f, 19f, 4f) }
        Icon.Globe -> { circle(12f, 12f, 9f); arc(Rect(8f, 3f, 16f, 21f), 0f, 360f); line(3f, 12f, 21f, 12f) }
        Icon.Tick -> line(5f, 13f, 10f, 18f, 19f, 7f)
        Icon.Lens -> { circle(10.5f, 10.5f, 6.5f); line(15.5f, 15.5f, 21f, 21f) }
        Icon.Care -> { line(12f, 4f, 21.5f, 20f, 2.5f, 20f, 12f, 4f); line(12f, 10f, 12f, 14f); line(12f, 17f, 12f, 17.1f) }
        Icon.Saved -> { line(7f, 3f, 17f, 3f, 17f, 21f, 7f, 21f, 7f, 3f); line(9.5f, 12f, 11.5f, 14f, 14.5f, 10f) }
        Icon.Waiting -> { circle(12f, 12f, 9f); line(12f, 7f, 12f, 12f, 15f, 14f) }
        Icon.Sending -> { circle(12f, 12f, 9f); line(12f, 17f, 12f, 7f); line(8f, 11f, 12f, 7f, 16f, 11f) }
        Icon.Received -> { arc(Rect(3f, 3f, 21f, 21f), -20f, 300f); line(8f, 12f, 11f, 15f, 20f, 5f) }
    }
}
