package billstream.bench;

/**
 * Something that happened to a customer, with the whole new state of what it is about.
 *
 * @param at unix nanoseconds of sending
 * @param kind which part of an account it changes
 * @param amount in cents
 */
record Event(
        long at,
        byte kind,
        long amount,
        String id,
        String name,
        String email,
        String street,
        String city,
        String country,
        String plan,
        String currency,
        String phone,
        String taxId) {

    // The kinds.
    static final byte OPENED = 0;
    static final byte MOVED = 1;
    static final byte PLANNED = 2;
    static final byte PAID = 3;
    static final byte RENAMED = 4;

    /** Reads an event. */
    static Event decode(byte[] bytes) {
        var r = new Reader(bytes);
        var e = new Event(r.fixed(), r.octet(), r.varint(), r.string(), r.string(), r.string(), r.string(),
                r.string(), r.string(), r.string(), r.string(), r.string(), r.string());
        r.end("event");
        return e;
    }
}
