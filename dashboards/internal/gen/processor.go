package main

// Thresholds of this page.
const (
	epochTooOld  = 20.0  // seconds: the transaction timeout by default, then the broker aborts
	commitStuck  = 60.0  // seconds without a commit, when there is input
	figuresStale = 120.0 // seconds: the lag is not measured any more
)

// processor answers: how fast is it, where does time go, what fails?
func processor() dashboard {
	return page("processor", "Processor", throughput(), timing(), exactlyOnce(), failures(), lag())
}

func throughput() row {
	records := func(name string) string { return sumBy("topic", rate(ofGroup(name))) }
	return row{title: "Throughput", height: 9, places: []place{
		{8, timeSeries("Consumed, processed, emitted",
			"Records per second that were read, that were committed as processed, and that were written with them, by topic. "+
				"Normal: consumed equals processed. If consumed is higher for long: records are read again and again, see Aborted records.",
			unitRecords,
			query("consumed {{topic}}", records("records_consumed_total")),
			query("processed {{topic}}", records("records_processed_total")),
			query("emitted {{topic}}", records("records_emitted_total")))},
		{8, timeSeries("Outcome",
			"What became of the processed records, per second, by result. Normal: nearly all updated. "+
				"If duplicate grows: the customer system publishes again; if dead_letter: see Dead letters, by code.",
			unitRecords, query("{{result}}", sumBy("result", rate(ofGroup("records_processed_total")))),
		).stacked()},
		{8, timeSeries("Bytes in, out",
			"Bytes of keys and values read and written per second. Normal: out is a small multiple of in, since each event writes a row and an update. "+
				"If out grows alone: accounts have become large.",
			unitRate,
			query("in", sum(rate(ofGroup("consumed_bytes_total")))),
			query("out", sum(rate(ofGroup("emitted_bytes_total")))))},
		{24, barGauge("Busiest partitions",
			"The ten partitions that are read fastest, now. Normal: all about the same. "+
				"If one stands out: one customer sends most of the events; ask the customer system why.",
			unitRecords, instant("{{topic}}/{{partition}}", top(sumBy("topic, partition", rate(ofGroup("records_consumed_total"))))))},
	}}
}

func timing() row {
	perCommit := sum(rate(ofGroup("commit_records_sum"))) + " / " + sum(rate(ofGroup("commit_records_count")))
	return row{title: "Time", height: 9, places: []place{
		{8, timeSeries("Process p50, p99",
			"Median and 99th percentile of the time that decoding, applying and encoding one record takes. Normal: well below a millisecond. "+
				"If it rises: the machine is short of CPU, or accounts have become large.",
			unitSeconds, halfAndMost(ofGroup, "record_process_duration_seconds", "topic")...)},
		{8, timeSeries("Where time goes",
			"Seconds per second that are spent on the way to a commit, by phase; all partitions together, so it may be more than 1. "+
				"Normal: produce and end_transaction lead, backpressure is 0. If those two grow: the brokers are slow. "+
				"If backpressure does: the staging area is full and processing waits for commits.",
			unitSeconds, query("{{phase}}", sumBy("phase", rate(ofGroup("phase_seconds_total")))),
		).stacked()},
		{8, timeSeries("Commit p50, p99",
			"Median and 99th percentile of the time from sealing an epoch until its commit is acknowledged and applied. Normal: some tens of milliseconds. "+
				"If it rises: look at the brokers' disks and at their transaction coordinator.",
			unitSeconds, halfAndMost(ofGroup, "commit_duration_seconds", "")...)},
		{8, timeSeries("Records per commit",
			"Mean and 99th percentile of the records in one commit. Normal: the input of one commit interval. "+
				"If it rises: commits take longer than their interval, and carry more each.",
			unitShort,
			query("mean", perCommit),
			query("p99", quantile(0.99, ofGroup, "commit_records", "")))},
		{8, timeSeries("Staged and buffered",
			"Records that were processed and wait for their commit, and records that were fetched and wait for their partition. "+
				"Normal: a saw-tooth of one commit interval's input. If staged rises and does not fall: commits do not come through.",
			unitShort,
			query("staged", sum(ofGroup("staged_records"))),
			query("buffered", sum(ofGroup("input_buffer_records"))))},
		{8, timeSeries("Staged bytes",
			"Memory that the rows and outputs of uncommitted records take, by instance. Normal: far below the limit of the option --max-staged. "+
				"If it stays at the limit: processing waits; see Commit p50, p99.",
			unitBytes, query("{{instance}}", sumBy("instance", ofGroup("staged_bytes"))))},
	}}
}

func exactlyOnce() row {
	return row{title: "Exactly once", height: 8, places: []place{
		{8, timeSeries("Commits, by result",
			"Epochs that ended per second, by result. Normal: committed only; a rebalance may leave some that are aborted or fenced. "+
				"If unknown shows: a broker gave no answer to a commit, and recovery found out what became of it.",
			unitCommits, query("{{result}}", sumBy("result", rate(ofGroup("commits_total")))))},
		{8, timeSeries("Aborted records",
			"Records per second that were processed and dropped with their epoch; they are processed again. Normal: 0, a few at a rebalance. "+
				"If it goes on: commits keep failing; see Writer restarts and the log.",
			unitRecords, query("aborted", sum(rate(ofGroup("records_aborted_total")))))},
		{8, timeSeries("Oldest uncommitted record",
			"How long the oldest processed record has waited for its commit, by instance. Normal: about the commit interval. "+
				"If it nears the transaction timeout: the broker will abort; look at the brokers.",
			unitSeconds, query("{{instance}}", worst("instance", ofGroup("epoch_age_seconds"))),
		).limits("green", from(epochTooOld, "red"))},
		{8, stat("Since last commit",
			"How long ago any instance committed. Normal: below a second while events come in. "+
				"If it grows while there is lag: processing stands still; read /statusz and the log.",
			unitSeconds, query("since", since("max("+ofGroup("last_commit_timestamp_seconds")+")")),
		).limits("green", from(commitStuck, "orange"))},
		{8, timeSeries("Open transactions",
			"Records behind the oldest open transaction of a topic, worst partition: readers of committed data wait there. "+
				"Normal: one commit interval's output at most. If it stays above 0 while nothing comes in: a writer died within a transaction; its timeout ends it.",
			unitShort, query("{{topic}}", worst("topic", series("open_transaction_records"))))},
		{8, timeSeries("Writer restarts",
			"How often the transactional writer began anew, by reason. Normal: 0. "+
				"Fenced: another instance took over, as it should at a rebalance. Aborted or error: the brokers refused; read the log.",
			unitShort, query("{{reason}}", sumBy("reason", grown(ofGroup("writer_restarts_total")))))},
	}}
}

func failures() row {
	return row{title: "Errors", height: 8, places: []place{
		{6, timeSeries("Emit errors",
			"Records per second that could not be written, by topic and reason. Normal: 0. "+
				"If unauthorized or too_large: compare the topic's settings and rights with ours; else look at the brokers.",
			unitEvents, query("{{topic}} {{reason}}", sumBy("topic, reason", rate(ofGroup("emit_errors_total")))))},
		{6, timeSeries("Restarts, panics, watchdog",
			"How often the processor was started again, by reason, how many panics were recovered, and how often a partition with input stood still. "+
				"Normal: 0. A panic: the log has its stack; report it. The watchdog: a partition hangs; read /statusz of its owner.",
			unitShort,
			query("restart {{reason}}", sumBy("reason", grown(ofGroup("processor_restarts_total")))),
			query("panics", sum(grown(ofGroup("panics_total")))),
			query("watchdog", sum(grown(ofGroup("watchdog_trips_total")))))},
		{6, timeSeries("Clock skew",
			"Records per second whose timestamp is ahead of our clock. Normal: 0. "+
				"If not: a clock is wrong, here or at the customer system, and latencies read too low.",
			unitRecords, query("ahead", sum(rate(ofGroup("clock_skew_records_total")))))},
		{6, timeSeries("Dead letters, by code",
			"Events per second that could not be used and were put aside, by code. Normal: 0. "+
				"If not: read billing.dlq, where each says what was wrong, and tell the customer system.",
			unitEvents, query("{{code}}", sumBy("code", rate(ofGroup("dead_letters_total")))))},
	}}
}

func lag() row {
	const partition = "group, topic, partition"
	behind := worst(partition, ofGroup("consumer_lag_records"))
	drain := sumBy("group", behind) + " / (" + sumBy("group", rate(ofGroup("records_processed_total"))) + " > 0)"
	return row{title: "Lag", height: 9, places: []place{
		{12, timeSeries("Seconds, 10 worst partitions",
			"Age of the first uncommitted record of the ten partitions that are furthest behind. Normal: below a second. "+
				"If one rises alone: it stands still; read /statusz of its owner. If all do: more comes in than is processed.",
			unitSeconds, query("{{group}} {{topic}}/{{partition}}", top(worst(partition, ofGroup("consumer_lag_seconds")))),
		).limits("green", from(lagStalled, "orange"), from(lagTooOld, "red"))},
		{12, timeSeries("Offsets, 10 worst",
			"Offsets between what is committed and the end, of the ten partitions with most; markers of transactions count. "+
				"Normal: small and falling; an idle partition may read 1. If it rises: see the seconds beside it.",
			unitShort, query("{{group}} {{topic}}/{{partition}}", top(behind)))},
		{6, stat("Time to drain",
			"How long the records that wait will take at the rate of now, by group. Normal: below a second. "+
				"If it grows: add instances, up to one per partition.",
			unitSeconds, query("{{group}}", drain))},
		{6, stat("Age of these figures",
			"How long ago the lag was measured, and how many measurements fail per second. Normal: below 10 s, and 0. "+
				"If older: no instance reaches the brokers, or the right to describe the group is missing.",
			unitSeconds,
			query("age", since("max("+series("lag_refresh_timestamp_seconds")+")")),
			query("failed per second", sum(rate(series("lag_refreshes_total", `result="error"`)))),
		).limits("green", from(figuresStale, "red"))},
		{12, barGauge("Silent partitions",
			"The ten partitions whose last committed record is oldest. Normal: all alike, since customers spread evenly. "+
				"If one stands out while it has lag: it stands still; without lag, the customer system sends it nothing.",
			unitSeconds, instant("{{group}}/{{partition}}", top(since(worst("group, partition", ofGroup("last_record_timestamp_seconds"))))))},
	}}
}
