package billstream.bench;

import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** The row of a customer. */
final class Account {
    private long seq; // of the last update
    private long openedAt;
    private long at;
    private long balance;
    private long paid;
    private String last = ""; // id of the last event
    private String name = "";
    private String email = "";
    private String street = "";
    private String city = "";
    private String country = "";
    private String plan = "";
    private String before = ""; // the plan before this one
    private String currency = "";
    private String phone = "";
    private String taxId = "";

    /** Accounts to bytes and back. A tombstone has no bytes, and is no account. */
    static Serde<Account> serde() {
        return Serdes.serdeFrom(
                (topic, a) -> a == null ? null : a.encode(), (topic, b) -> b == null ? null : decode(b));
    }

    /** Folds an event into the account. The update goes with the account: later events change both. */
    Update apply(Event e) {
        long old = balance;
        switch (e.kind()) {
            case Event.OPENED -> {
                openedAt = e.at();
                contact(e);
                currency = e.currency();
                address(e);
                plan = e.plan();
                taxId = e.taxId();
                balance -= e.amount();
            }
            case Event.MOVED -> address(e);
            case Event.PLANNED -> {
                before = plan;
                plan = e.plan();
                balance -= e.amount();
            }
            case Event.PAID -> {
                balance += e.amount();
                paid += e.amount();
            }
            case Event.RENAMED -> contact(e);
            default -> { } // of no part of the account
        }
        seq++;
        at = e.at();
        last = e.id();
        return new Update(e.kind(), old, this);
    }

    private void contact(Event e) {
        name = e.name();
        email = e.email();
        phone = e.phone();
    }

    private void address(Event e) {
        street = e.street();
        city = e.city();
        country = e.country();
    }

    /** Makes the account wrong. */
    void spoil() {
        balance++;
    }

    /** Reads a row. */
    static Account decode(byte[] bytes) {
        var r = new Reader(bytes);
        var a = new Account();
        a.openedAt = r.fixed();
        a.at = r.fixed();
        a.seq = r.varint();
        a.balance = r.varint();
        a.paid = r.varint();
        a.last = r.string();
        a.name = r.string();
        a.email = r.string();
        a.street = r.string();
        a.city = r.string();
        a.country = r.string();
        a.plan = r.string();
        a.before = r.string();
        a.currency = r.string();
        a.phone = r.string();
        a.taxId = r.string();
        r.end("account");
        return a;
    }

    /** Writes a row. */
    byte[] encode() {
        var w = new Writer();
        write(w);
        return w.bytes();
    }

    /** Writes the fields, as a row or within an update. */
    void write(Writer w) {
        w.fixed(openedAt);
        w.fixed(at);
        w.varint(seq);
        w.varint(balance);
        w.varint(paid);
        w.string(last);
        w.string(name);
        w.string(email);
        w.string(street);
        w.string(city);
        w.string(country);
        w.string(plan);
        w.string(before);
        w.string(currency);
        w.string(phone);
        w.string(taxId);
    }
}
