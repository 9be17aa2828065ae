// Package kafkatest runs real Apache Kafka (KRaft) as child processes: one
// broker or three, on loopback, each a Java process that can be stopped,
// killed, frozen and started again at the same address. What the embedded
// broker cannot show - late markers, concurrent transactions, a broker that
// dies - is tried here.
//
// The jars come through Maven from a pom with pinned versions, once, into the
// user's cache directory; or from KAFKA_HOME. With BILLSTREAM_TEST_BROKERS the
// tests use a cluster that is there already, and what would break a broker is
// refused. A missing Java or Maven is an error that names it: nothing is
// skipped.
package kafkatest
