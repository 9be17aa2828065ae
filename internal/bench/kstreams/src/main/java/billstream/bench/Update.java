package billstream.bench;

/**
 * The output of the job: what is now, and what was.
 *
 * @param kind of the event
 * @param old the balance before
 * @param account as it is now
 */
record Update(byte kind, long old, Account account) {

    /** Writes an update. */
    byte[] encode() {
        var w = new Writer();
        w.octet(kind);
        w.varint(old);
        account.write(w);
        return w.bytes();
    }
}
