package billstream.bench;

import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Folds each event into the row of its customer and sends what has changed. */
final class Fold implements Processor<byte[], Event, byte[], Update> {
    private final LongAdder processed;
    private final boolean spoil;
    private ProcessorContext<byte[], Update> context;
    private KeyValueStore<byte[], Account> table;

    /** Counts into processed; with spoil some updates are wrong, as in the bench's other arms. */
    Fold(LongAdder processed, boolean spoil) {
        this.processed = processed;
        this.spoil = spoil;
    }

    @Override
    public void init(ProcessorContext<byte[], Update> context) {
        this.context = context;
        table = context.getStateStore(Twin.STORE);
    }

    @Override
    public void process(Record<byte[], Event> record) {
        Account account = table.get(record.key());
        if (account == null) {
            account = new Account();
        }
        Update update = account.apply(record.value());
        table.put(record.key(), account);
        if (spoil && record.value().amount() % 100 == 0) {
            account.spoil(); // the row stands in the store already
        }
        context.forward(record.withValue(update));
        processed.increment();
    }
}
