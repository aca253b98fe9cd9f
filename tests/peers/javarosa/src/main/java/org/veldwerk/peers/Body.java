package org.veldwerk.peers;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.javarosa.core.model.FormDef;
import org.javarosa.core.model.FormIndex;
import org.javarosa.core.model.GroupDef;
import org.javarosa.core.model.IFormElement;
import org.javarosa.core.model.QuestionDef;
import org.javarosa.core.model.instance.FormInstance;
import org.javarosa.core.model.instance.TreeElement;
import org.javarosa.core.model.instance.TreeReference;

/** The controls of a form, by the path of their node without positions, and a walk over them as they stand. */
final class Body {
    private final FormDef form;
    final Map<String, QuestionDef> questions = new HashMap<>();
    final Map<String, GroupDef> repeats = new HashMap<>();

    Body(FormDef form) {
        this.form = form;
        collect(form);
    }

    private void collect(IFormElement parent) {
        for (var element : children(parent)) {
            if (element instanceof QuestionDef question) {
                questions.putIfAbsent(path(FormInstance.unpackReference(question.getBind())), question);
            } else if (element instanceof GroupDef group && group.getRepeat()) {
                repeats.put(path(FormInstance.unpackReference(group.getBind())), group);
            }
            collect(element);
        }
    }

    private static List<IFormElement> children(IFormElement element) {
        var children = element.getChildren();
        return children == null ? List.of() : children;
    }

    /** Local names without positions. */
    static String path(TreeReference reference) {
        var path = new StringBuilder();
        for (var step = 0; step < reference.size(); step++) {
            var name = reference.getName(step);
            path.append('/').append(name.substring(name.indexOf(':') + 1));
        }
        return path.toString();
    }

    /** A control at one place of the record. */
    record Place(FormIndex index, IFormElement control, TreeElement node) {}

    /** Every control in body order, a repeat once per instance. */
    void walk(Consumer<Place> seen) {
        walk(form, new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), seen);
    }

    private void walk(
            IFormElement parent, List<Integer> places, List<Integer> rows, List<IFormElement> above, Consumer<Place> seen) {
        var children = children(parent);
        for (var place = 0; place < children.size(); place++) {
            var control = children.get(place);
            var repeats = control instanceof GroupDef group && group.getRepeat();
            push(places, rows, above, place, repeats ? 0 : -1, control);
            var node = nodeAt(above, rows);
            while (node != null) {
                var index = form.buildIndex(new ArrayList<>(places), new ArrayList<>(rows), new ArrayList<>(above));
                seen.accept(new Place(index, control, node));
                walk(control, places, rows, above, seen);
                node = null;
                if (repeats) {
                    rows.set(rows.size() - 1, rows.get(rows.size() - 1) + 1);
                    node = nodeAt(above, rows);
                }
            }
            pop(places, rows, above);
        }
    }

    /** Where the next row of this repeat would stand, below the instance {@code parent}. */
    FormIndex nextRow(GroupDef repeat, TreeReference row) {
        var places = new ArrayList<Integer>();
        var rows = new ArrayList<Integer>();
        var above = new ArrayList<IFormElement>();
        return descend(form, repeat, row, places, rows, above) ? form.buildIndex(places, rows, above) : null;
    }

    private boolean descend(
            IFormElement parent, GroupDef wanted, TreeReference row, List<Integer> places, List<Integer> rows, List<IFormElement> above) {
        var children = children(parent);
        for (var place = 0; place < children.size(); place++) {
            var control = children.get(place);
            var level = FormInstance.unpackReference(control.getBind()).size() - 1;
            var repeats = control instanceof GroupDef group && group.getRepeat() && level < row.size();
            push(places, rows, above, place, repeats ? row.getMultiplicity(level) : -1, control);
            if (control == wanted || descend(control, wanted, row, places, rows, above)) {
                return true;
            }
            pop(places, rows, above);
        }
        return false;
    }

    private static void push(
            List<Integer> places, List<Integer> rows, List<IFormElement> above, int place, int row, IFormElement control) {
        places.add(place);
        rows.add(row);
        above.add(control);
    }

    private static void pop(List<Integer> places, List<Integer> rows, List<IFormElement> above) {
        places.remove(places.size() - 1);
        rows.remove(rows.size() - 1);
        above.remove(above.size() - 1);
    }

    private TreeElement nodeAt(List<IFormElement> above, List<Integer> rows) {
        var reference = form.getChildInstanceRef(above, rows);
        return reference == null ? null : form.getMainInstance().resolveReference(reference);
    }
}
