package billstream.bench;

/** The job of the bench on Kafka Streams. */
public final class Main {
    private Main() {}

    /** Runs until the input ends. */
    public static void main(String[] args) {}
}
