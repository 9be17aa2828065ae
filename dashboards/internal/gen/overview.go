package main

// Thresholds. What is coloured here is what somebody is to be woken for.
const (
	lookupObjective = 0.999 // share of requests that must be answered
	lagStalled      = 60.0  // seconds: a partition this late without a commit has stalled
	lagTooOld       = 300.0 // seconds: customers notice
)

// overview answers two questions: is billing up to date, and can it be read?
func overview() dashboard {
	return page("overview", "Overview", serviceLevel(), flow(), fleet())
}

func serviceLevel() row {
	data := `listener="data"`
	failed := "(" + sum(total(series("http_requests_total", data, `code=~"5.."`))) + " or vector(0))"
	return row{title: "Service level", height: 5, places: []place{
		{12, stat("Lookups answered",
			"Share of requests on the data listener that were answered with anything but a server error, over the time range. "+
				"Normal: 99.9 % or more. If lower: see which instances are not ready under Fleet, then their error logs.",
			unitRatio, query("answered", "1 - "+failed+" / "+sum(total(series("http_requests_total", data)))),
		).most(1).limits("red", from(lookupObjective, "green"))},
		{12, stat("Lag, worst partition",
			"Age of the oldest customer event that is not committed yet, over all partitions. "+
				"Normal: below a second, and 0 when nothing waits. If it keeps rising: one partition stands still; find its instance in /statusz and read its errors.",
			unitSeconds, query("worst", "max("+ofGroup("consumer_lag_seconds")+")"),
		).limits("green", from(lagStalled, "orange"), from(lagTooOld, "red"))},
	}}
}

func flow() row {
	events := func(name, by string) string { return sumBy(by, rate(ofGroup(name))) }
	return row{title: "Flow", height: 9, places: []place{
		{8, timeSeries("Events in, by type",
			"Customer events committed per second, by type; other is what could not be decoded or has no known type. "+
				"Normal: follows the customer system. If it falls to nothing while lag is 0: the customer system has stopped publishing.",
			unitEvents, query("{{type}}", events("events_processed_total", "type")))},
		{8, timeSeries("Updates out, by class",
			"Billing updates committed per second, by class. Normal: a little fewer than events, since an event that changes nothing sends nothing. "+
				"If corrected grows: the customer system publishes late or out of order.",
			unitEvents, query("{{class}}", events("updates_emitted_total", "class")))},
		{8, timeSeries("What changed, by facet",
			"Changes inside the updates per second, by facet of the account. Normal: a steady mix. "+
				"If one facet jumps: somebody rewrites customers in bulk; ask before billing does.",
			unitEvents, query("{{facet}}", events("facet_changes_total", "facet")))},
		{8, timeSeries("End to end, by stage",
			"Median and 99th percentile of the time from the timestamp of a customer event until it was processed, and until its result was committed. "+
				"Normal: committed takes about the commit interval longer than processed. If both rise: records wait, see lag; if committed alone: the brokers are slow.",
			unitSeconds, halfAndMost(ofGroup, "end_to_end_latency_seconds", "stage")...)},
		{8, timeSeries("Lag, by group",
			"Age of the oldest uncommitted event of each group, worst partition. Normal: below a second. "+
				"If it rises steadily: more comes in than is processed, or a partition stands still.",
			unitSeconds, query("{{group}}", "max by (group) ("+ofGroup("consumer_lag_seconds")+")"))},
		{8, timeSeries("Trouble",
			"Dead letters, failed writes, aborted records and error log lines per second. Normal: all 0; a rebalance may abort some records. "+
				"Dead letters: read billing.dlq, each says what was wrong. Failed writes: look at the brokers and at what this user may write. "+
				"Aborted records: they are processed again; if it goes on, see Exactly once on the processor page. Errors: read the log.",
			unitEvents,
			query("dead letters", sum(rate(ofGroup("records_processed_total", `result="dead_letter"`)))),
			query("emit errors", sum(rate(ofGroup("emit_errors_total")))),
			query("aborted records", sum(rate(ofGroup("records_aborted_total")))),
			query("error log lines", sum(rate(series("log_messages_total", `level="error"`)))))},
	}}
}

func fleet() row {
	instances := "max by (instance, version, goversion) (" + series("build_info") + ")" +
		" * on (instance) group_left (guarantee, store, broker)" +
		" max by (instance, guarantee, store, broker) (" + series("config_info") + ")"
	return row{title: "Fleet", height: 8, places: []place{
		{6, stat("Ready",
			"Whether each instance answers lookups. Normal: all ready. If one is not: its /readyz?verbose names the check that fails.",
			"bool", query("{{instance}}", series("ready")),
		).most(1).words(map[string]string{"0": "not ready", "1": "ready"}).limits("red", from(1, "green"))},
		{6, barGauge("Partitions by instance",
			"Partitions that each instance processes. Normal: spread evenly, in sum as many as customer.events has. "+
				"If some are missing: a rebalance or a recovery is under way, or an instance is gone.",
			unitShort, instant("{{instance}}", sumBy("instance", series("partitions", `role="active"`, `state="running"`))))},
		{12, table("Instances",
			"What runs where: version, Go version, guarantee, store and kind of broker. Normal: the same in every row, but for the minutes of a roll-out. If it stays mixed: finish the roll-out or take it back.",
			unitNone, instant("{{instance}}", instances))},
		{12, table("Up since",
			"When each process started. Normal: the last roll-out. If a time is younger: the process died; its last lines of log say why.",
			unitAge, instant("{{instance}}", `process_start_time_seconds{job=~"$job",instance=~"$instance"} * 1000`))},
		{12, text("Read me", "What this page is about, and the words that it uses.", readMe)},
	}}
}

const readMe = `**billstream** reads what happens to customers from ` + "`customer.events`" + `, keeps one account for each, and tells billing what changed in ` + "`billing.updates`" + `. Accounts are looked up over HTTP.

- **event**: a fact from the customer system. **update**: what billing is told, numbered per customer without gaps.
- **facet**: a part of an account: status, name, billing and shipping address, contact, tax, payment method, plan.
- **class**: *applied* is in force, *scheduled* comes later, *corrected* changes the past, *closed*, *erased*.
- **lag**: how far committed work is behind what was published. **dead letter**: an event that could not be used, kept in ` + "`billing.dlq`" + ` with the reason.
- **partition**: a share of the customers; one instance owns it at a time.

Each panel's (i) says what is normal and what to do. On the admin listener, ` + "`/readyz?verbose`" + ` tells why an instance is not ready and ` + "`/statusz`" + ` what it does.`
