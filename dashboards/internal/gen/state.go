package main

// state answers: who has which partition, and how far is recovery?
func state() dashboard {
	return page("state", "State and recovery", partitions(), recovery(), kept())
}

func partitions() row {
	missing := "max(" + series("topic_partitions", `topic="customer.events"`) + ") - " +
		sum(series("partitions", `role="active"`, `state="running"`))
	return row{title: "Partitions", height: 8, places: []place{
		{8, timeSeries("By role and state",
			"Partitions of all instances, by what they are for and what they do. Normal: all running. "+
				"If some recover for long: see Remaining below; if stopped: read the log of their instance.",
			unitShort, query("{{role}} {{state}}", sumBy("role, state", series("partitions"))),
		).stacked()},
		{8, stat("Without a running owner",
			"Partitions of customer.events that no instance processes now. Normal: 0, a few during a rebalance or a recovery. "+
				"If it stays above 0: their customers are not served; see which instances are ready.",
			unitShort, query("without", missing),
		).limits("green", from(1, "red"))},
		{8, timeSeries("Rebalances",
			"How often partitions were handed out anew, by result. Normal: one when an instance comes or goes. "+
				"If it goes on: an instance comes and goes; look at its restarts, its memory and the session timeout.",
			unitShort, query("{{result}}", sumBy("result", grown(ofGroup("rebalances_total")))))},
		{12, timeSeries("Rebalance p50, p99",
			"Median and 99th percentile of the time from giving partitions up until all new ones run. Normal: a few seconds. "+
				"If longer: recovery takes the time; see below.",
			unitSeconds, halfAndMost(ofGroup, "rebalance_duration_seconds", "")...)},
		{12, stat("Since last rebalance",
			"How long ago each group handed its partitions out. Normal: the last roll-out. "+
				"If younger: an instance was lost or came back; the annotations say when.",
			unitDuration, query("{{group}}", since(worst("group", ofGroup("last_rebalance_timestamp_seconds")))))},
	}}
}

func recovery() row {
	remaining := sumBy("instance, role", series("recovery_remaining_records"))
	target := sumBy("instance, role", series("recovery_target_records"))
	return row{title: "Recovery", height: 8, places: []place{
		{8, timeSeries("Remaining",
			"Offsets of the changelog that are still to be read, by instance and role. Normal: 0; after a start it falls steadily. "+
				"If it stands still: see Waiting for an open transaction, then the brokers.",
			unitShort, query("{{instance}} {{role}}", remaining))},
		{8, barGauge("Done",
			"Share of the changelog that was read since recovery began, by instance and role. Normal: all of it; none when there was nothing to read. "+
				"If it stays below: see Remaining.",
			unitRatio, instant("{{instance}} {{role}}", "1 - "+remaining+" / ("+target+" > 0)"),
		).most(1)},
		{8, timeSeries("Rate, by source",
			"Rows read in recovery per second, by where they come from. Normal: 0 once all partitions run. "+
				"If it is low during a recovery: the brokers or the network are the limit.",
			unitRecords, query("{{source}}", sumBy("source", rate(series("recovery_records_total")))))},
		{8, stat("Time left",
			"Estimate of when the slowest partition has recovered, by role. Normal: 0. "+
				"If it does not fall: see Rate, by source.",
			unitDuration, query("{{role}}", worst("role", series("recovery_eta_seconds"))))},
		{8, stat("Waiting for an open transaction",
			"Partitions whose recovery waits until an open transaction ends, by table and role. Normal: 0; after a crash, up to the transaction timeout. "+
				"If longer: a writer hangs; find its transaction with the tools of Kafka and abort it.",
			unitShort, query("{{table}} {{role}}", sumBy("table, role", series("recovery_blocked_partitions"))),
		).limits("green", from(1, "orange"))},
		{8, timeSeries("Duration p50, p99",
			"Median and 99th percentile of the time that one partition's recovery took, by role. Normal: seconds. "+
				"If it grows with time: the changelog does; see that compaction runs on the brokers.",
			unitSeconds, halfAndMost(series, "recovery_duration_seconds", "role")...)},
	}}
}

func kept() row {
	return row{title: "Store", height: 8, places: []place{
		{8, timeSeries("Customers",
			"Customers whose rows an instance holds. Normal: all of them where there is a view, its share without one. "+
				"If it falls: partitions went elsewhere, or customers were removed.",
			unitShort, query("{{instance}}", sumBy("instance", series("store_keys"))))},
		{8, timeSeries("Size",
			"What the rows take up in memory and on disk, by instance. Normal: grows with the customers and their histories. "+
				"If it nears what the machine has: add instances, or use the store on disk.",
			unitBytes, query("{{instance}} {{kind}}", sumBy("instance, kind", series("store_size_bytes"))))},
		{4, stat("Since last saved",
			"How long ago the state was saved, of the partition for which that is longest. Normal: below the snapshot interval, while events come. "+
				"If older: a start takes longer; see the log for what cannot be written.",
			unitDuration, query("{{instance}}", "time() - (min by (instance) ("+series("store_snapshot_timestamp_seconds")+") > 0)"))},
		{4, timeSeries("Built anew",
			"Partitions whose saved state could not be used, by reason. Normal: none; missing at the first start. "+
				"If corrupt: look at the disk; if foreign: topics or cluster were made anew.",
			unitShort, query("{{reason}}", sumBy("reason", grown(series("store_rebuilds_total")))))},
		{12, timeSeries("Operations",
			"What is done to the state per second: rows looked up, set and deleted, walks, batches, saves. Normal: gets and sets follow the events, scans the lists that are asked for. "+
				"If gets grow alone: see the lookups.",
			unitCommits, query("{{op}}", sumBy("op", rate(series("store_operations_total", `result="ok"`)))))},
		{12, timeSeries("Operation p99",
			"99th percentile of the time of an operation on the state; a scan takes as long as what is done with its rows. Normal: gets and batches below a millisecond, snapshots below seconds. "+
				"If gets are slow: with the store on disk, rows come from the disk; give it memory, or add instances.",
			unitSeconds, query("{{op}}", quantile(0.99, series, "store_operation_duration_seconds", "op")))},
		{8, timeSeries("Behind, of spare copies",
			"Offsets that an instance's copies of partitions owned elsewhere are behind the changelog, the worst of each. Normal: below what a second brings. "+
				"If it grows: a takeover takes longer; look at the instance's processor time and its log.",
			unitShort, query("{{instance}}", worst("instance", series("standby_lag_records"))))},
		{8, timeSeries("Free in the data directory",
			"Share of the file system of the data directory that is free. Normal: above a tenth. "+
				"If less: rows are not saved, and with the store on disk processing stops; make room.",
			unitRatio, query("{{instance}}", worst("instance", series("data_dir_free_bytes"))+" / "+worst("instance", series("data_dir_capacity_bytes"))),
		).most(1)},
		{8, timeSeries("Size of the data directory's file system",
			"Bytes of the file system of the data directory, and those that are free. Normal: as it was planned. "+
				"If the free ones fall steadily: see Size.",
			unitBytes, query("{{instance}} all", worst("instance", series("data_dir_capacity_bytes"))),
			query("{{instance}} free", worst("instance", series("data_dir_free_bytes"))))},
	}}
}
