package org.veldwerk.peers;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.javarosa.core.model.Constants;
import org.javarosa.core.model.FormDef;
import org.javarosa.core.model.GroupDef;
import org.javarosa.core.model.QuestionDef;
import org.javarosa.core.model.instance.TreeElement;
import org.javarosa.core.model.instance.TreeReference;
import org.javarosa.form.api.FormEntryCaption;
import org.javarosa.form.api.FormEntryPrompt;
import org.javarosa.model.xform.XFormSerializingVisitor;
import org.javarosa.xform.util.XFormAnswerDataSerializer;

/** A record as the driver shows it. */
final class State {
    private static final Map<Integer, String> KINDS = Map.ofEntries(
            Map.entry(Constants.CONTROL_INPUT, "input"),
            Map.entry(Constants.CONTROL_TEXTAREA, "input"),
            Map.entry(Constants.CONTROL_SECRET, "secret"),
            Map.entry(Constants.CONTROL_SELECT_ONE, "select1"),
            Map.entry(Constants.CONTROL_SELECT_MULTI, "select"),
            Map.entry(Constants.CONTROL_RANK, "rank"),
            Map.entry(Constants.CONTROL_RANGE, "range"),
            Map.entry(Constants.CONTROL_TRIGGER, "trigger"));

    private final FormDef form;
    private final Body body;

    State(FormDef form, Body body) {
        this.form = form;
        this.body = body;
    }

    static ObjectNode describe(FormDef form) {
        var root = form.getMainInstance().getRoot();
        var description = Driver.JSON.createObjectNode()
                .put("title", form.getTitle())
                .put("id", root.getAttributeValue(null, "id"))
                .put("version", form.getMainInstance().formVersion);
        var languages = description.putArray("languages");
        var localizer = form.getLocalizer();
        if (localizer != null) {
            List.of(localizer.getAvailableLocales()).forEach(languages::add);
        }
        return description.put("language", localizer == null ? null : localizer.getDefaultLocale());
    }

    ObjectNode write() throws IOException {
        var state = Driver.JSON.createObjectNode();
        state.put("language", form.getLocalizer() == null ? null : form.getLocalizer().getLocale());
        var nodes = state.putArray("nodes");
        for (var place : places(form)) {
            nodes.add(node(place));
        }
        var controls = state.putArray("controls");
        var violations = state.putArray("violations");
        body.walk(place -> {
            if (place.node().isRelevant()) {
                var control = control(place);
                if (control != null) {
                    controls.add(control);
                }
                if (place.control() instanceof QuestionDef question) {
                    var violation = violation(form, question, place.node());
                    if (!violation.equals("ok")) {
                        violations.addObject().put("ref", path(place.node())).put("kind", violation).putNull("message");
                    }
                }
            }
        });
        var repeats = state.putArray("repeats");
        for (var place : places(form)) {
            ranges(place).forEach(repeats::add);
        }
        var xml = new XFormSerializingVisitor().serializeInstance(form.getMainInstance());
        return state.put("submission", new String(xml, StandardCharsets.UTF_8));
    }

    /** A node and its path, with a position at each step that is an instance of a repeat. */
    record Node(String path, TreeElement node) {}

    /** Every element of the record in document order. */
    static List<Node> places(FormDef form) {
        var places = new ArrayList<Node>();
        var root = form.getMainInstance().getRoot();
        places(new Node("/" + root.getName(), root), places);
        return places;
    }

    private static void places(Node place, List<Node> places) {
        places.add(place);
        var node = place.node();
        for (var child = 0; child < node.getNumChildren(); child++) {
            var below = node.getChildAt(child);
            if (below.getMult() != TreeReference.INDEX_TEMPLATE) {
                places(new Node(place.path() + step(below), below), places);
            }
        }
    }

    private static String step(TreeElement node) {
        return "/" + node.getName() + (node.isRepeatable() ? "[" + (node.getMult() + 1) + "]" : "");
    }

    private static String path(TreeElement node) {
        var parent = (TreeElement) node.getParent();
        return parent == null || parent.getName() == null ? "/" + node.getName() : path(parent) + step(node);
    }

    private ObjectNode node(Node place) {
        var node = place.node();
        var question = body.questions.get(Body.path(node.getRef()));
        return Driver.JSON.createObjectNode()
                .put("ref", place.path())
                .put("value", node.getNumChildren() > 0 ? null : text(node))
                .put("relevant", node.isRelevant())
                .put("readonly", !node.isEnabled())
                .put("required", node.isRequired())
                .put("valid", question == null ? "ok" : violation(form, question, node));
    }

    /** The value as a submission has it; empty if there is none. */
    static String text(TreeElement node) {
        var value = node.getValue();
        return value == null ? "" : String.valueOf(new XFormAnswerDataSerializer().serializeAnswerData(value, node.getDataType()));
    }

    static String violation(FormDef form, QuestionDef question, TreeElement node) {
        if (!node.isRelevant()) {
            return "ok";
        }
        if (node.getValue() == null) {
            return node.isRequired() ? "required" : "ok";
        }
        return form.evaluateConstraint(node.getRef(), node.getValue()) ? "ok" : "constraint";
    }

    /** Null for a group without a label. */
    private ObjectNode control(Body.Place place) {
        var control = Driver.JSON.createObjectNode().put("ref", path(place.node()));
        if (place.control() instanceof GroupDef group) {
            var label = shown(() -> new FormEntryCaption(form, place.index()).getQuestionText());
            if (!group.getRepeat() && label == null) {
                return null;
            }
            return control.put("kind", group.getRepeat() ? "repeat" : "group").put("label", label).putNull("hint");
        }
        var question = (QuestionDef) place.control();
        var prompt = new FormEntryPrompt(form, place.index());
        var kind = KINDS.getOrDefault(question.getControlType(), "upload");
        control.put("kind", kind).put("label", shown(prompt::getQuestionText)).put("hint", shown(prompt::getHelpText));
        if (kind.startsWith("select") || kind.equals("rank")) {
            var choices = control.putArray("choices");
            for (var choice : Record.choices(form, question, place.node().getRef())) {
                var label = shown(() -> prompt.getSelectChoiceText(choice));
                choices.addObject().put("value", choice.getValue()).put("label", label);
            }
        }
        return control;
    }

    /** A text for people; null where there is none, or where JavaRosa throws for want of one. */
    private static String shown(Supplier<String> text) {
        try {
            var shown = text.get();
            return shown == null || shown.isEmpty() ? null : shown;
        } catch (RuntimeException missing) {
            return null;
        }
    }

    /** The ranges of repeats below a relevant node. */
    private List<ObjectNode> ranges(Node place) {
        var ranges = new ArrayList<ObjectNode>();
        var above = place.node().getRef();
        if (!place.node().isRelevant()) {
            return ranges;
        }
        var prefix = Body.path(above) + "/";
        body.repeats.forEach((path, repeat) -> {
            if (path.startsWith(prefix) && path.indexOf('/', prefix.length()) < 0) {
                var name = path.substring(prefix.length());
                var count = place.node().getChildMultiplicity(name);
                var canAdd = !Record.isLocked(repeat) && form.isRepeatRelevant(above.extendRef(name, count));
                ranges.add(Driver.JSON.createObjectNode()
                        .put("ref", place.path() + "/" + name).put("count", count).put("can_add", canAdd));
            }
        });
        return ranges;
    }
}
