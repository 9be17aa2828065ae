package billstream.bench;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.Stores;

/** The job on Kafka Streams: one row and one update for each event. */
final class Twin implements AutoCloseable {
    /** The store; the changelog is named after it. */
    static final String STORE = "table";

    /** How long the end may take. */
    private static final Duration CLOSE = Duration.ofSeconds(15);

    private final LongAdder processed = new LongAdder();
    private final KafkaStreams streams;

    /** Builds the job of a spec; start begins it. */
    Twin(Spec spec) {
        streams = new KafkaStreams(topology(spec), config(spec));
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            die("a thread has ended, want it to wait for more events");
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    }

    /** Starts the threads and returns. */
    void start() {
        streams.start();
    }

    /** Events whose processing has ended. */
    long processed() {
        return processed.sum();
    }

    /** Commits of all threads so far. */
    double commits() {
        return streams.metrics().values().stream()
                .filter(m -> m.metricName().group().equals("stream-thread-metrics"))
                .filter(m -> m.metricName().name().equals("commit-total"))
                .mapToDouble(m -> (Double) m.metricValue())
                .sum();
    }

    /** Commits and leaves the group at once: by default the broker would wait for the member. */
    @Override
    public void close() {
        var leave = CloseOptions.groupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP).withTimeout(CLOSE);
        if (!streams.close(leave)) {
            die("end of the threads takes longer than " + CLOSE);
        }
    }

    /** Ends the process at once: threads that hang would keep it, and nobody goes on after an error. */
    private static void die(String why) {
        System.err.println(why);
        Runtime.getRuntime().halt(1);
    }

    private Topology topology(Spec spec) {
        var supplier = spec.inMemory() ? Stores.inMemoryKeyValueStore(STORE) : Stores.persistentKeyValueStore(STORE);
        return new Topology()
                .addSource("events", new ByteArrayDeserializer(), (topic, b) -> Event.decode(b), spec.input())
                .addProcessor("fold", () -> new Fold(processed, spec.spoil()), "events")
                .addStateStore(Stores.keyValueStoreBuilder(supplier, Serdes.ByteArray(), Account.serde()), "fold")
                .addSink("updates", spec.output(), new ByteArraySerializer(), (String topic, Update u) -> u.encode(), "fold");
    }

    private static Properties config(Spec spec) {
        var p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, spec.group());
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, String.join(",", spec.brokers()));
        p.put(StreamsConfig.STATE_DIR_CONFIG, spec.dir());
        if (!spec.instance().isEmpty()) {
            p.put(StreamsConfig.CLIENT_ID_CONFIG, spec.group() + "-" + spec.instance());
        }
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
                spec.exactlyOnce() ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
        if (spec.interval() > 0) {
            p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Math.max(1, spec.interval() / 1_000_000));
        }
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, spec.threads());
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        p.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, 0);
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0); // every row is written, as by the others
        p.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        p.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
        p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "snappy");
        return p;
    }
}
