package billstream.bench;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * What to be.
 *
 * @param way guarantee and store
 * @param dir for files; removed by the parent
 * @param brokers addresses
 * @param group the application
 * @param instance tells members of the group apart; may be empty
 * @param input topic of events
 * @param output topic of updates
 * @param interval the longest time between two commits, in nanoseconds; 0 is Kafka Streams' default
 * @param threads how many stream threads
 * @param spoil whether to lose the effect of some events; for tests of the gate
 */
record Spec(
        String way,
        String dir,
        List<String> brokers,
        String group,
        String instance,
        String input,
        String output,
        long interval,
        int threads,
        boolean spoil) {

    /** The way that only folds what it reads. */
    static final String FOLD = "fold";

    private static final Set<String> WAYS =
            Set.of(FOLD, "kstreams-alo", "kstreams-alo-mem", "kstreams-eos", "kstreams-eos-mem");

    /** Reads what the bench writes. */
    static Spec of(JsonNode json) {
        String way = json.path("way").asText();
        if (!WAYS.contains(way)) {
            throw new IllegalArgumentException("way is \"" + way + "\", want one of " + WAYS);
        }
        List<String> brokers = new ArrayList<>();
        json.path("brokers").forEach(b -> brokers.add(b.asText()));
        return new Spec(
                way,
                json.path("dir").asText(),
                brokers,
                json.path("group").asText(),
                json.path("instance").asText(),
                json.path("input").asText(),
                json.path("output").asText(),
                json.path("interval").asLong(),
                Math.max(1, json.path("threads").asInt()),
                json.path("spoil").asBoolean());
    }

    /** Whether every event has its effect once, whatever happens. */
    boolean exactlyOnce() {
        return way.startsWith("kstreams-eos");
    }

    /** Whether rows are kept in memory alone. */
    boolean inMemory() {
        return way.endsWith("-mem");
    }
}
