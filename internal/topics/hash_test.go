package topics_test

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// keys are what a customer id could be, and what it should not be.
func keys() []string {
	list := []string{"", "a", "ab", "abc", "abcd", "customer-1", "c/1", "Ängström", "客户", "\x00\xff\xfe", strings.Repeat("long", 4096)}
	for i := range 2000 {
		list = append(list, fmt.Sprintf("c%d", i))
	}
	return list
}

func sum(key string) uint32 {
	h := topics.NewHasher()
	h.Write([]byte(key))
	return h.Sum32()
}

// The sums are those of Kafka's own UtilsTest.testMurmur2, sign bit cleared.
func TestHasherGivesWhatJavaGives(t *testing.T) {
	for key, java := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		want := uint32(java) & 0x7fffffff
		if got := sum(key); got != want {
			t.Errorf("hash of %q is %d, want %d", key, got, want)
		}
		if got := topics.Partition([]byte(key), 12); got != int32(want%12) {
			t.Errorf("partition of %q is %d, want %d", key, got, want%12)
		}
	}
}

func TestPartitionIsWhatTheOtherClientsChoose(t *testing.T) {
	for _, n := range []int32{1, 3, 12, 64} {
		murmur := sarama.NewMurmur2Partitioner("t")
		custom := sarama.NewCustomHashPartitioner(topics.NewHasher)("t")
		kgos := kgo.StickyKeyPartitioner(nil).ForTopic("t")
		for _, key := range keys() {
			want := topics.Partition([]byte(key), n)
			if want < 0 || want >= n {
				t.Fatalf("partition of %q is %d, want 0 to %d", key, want, n-1)
			}
			m := &sarama.ProducerMessage{Key: sarama.StringEncoder(key)}
			for name, p := range map[string]sarama.Partitioner{"murmur2": murmur, "our hasher": custom} {
				if got, err := p.Partition(m, n); err != nil || got != want {
					t.Errorf("sarama with %s puts %q of %d at %d (%v), want %d", name, key, n, got, err, want)
				}
			}
			if got := kgos.Partition(&kgo.Record{Key: []byte(key)}, int(n)); int32(got) != want {
				t.Errorf("kgo puts %q of %d at %d, want %d", key, n, got, want)
			}
		}
	}
}

// inverse undoes multiplication modulo 2^32 and the shifts of murmur2's end, so
// that keys with a chosen hash can be computed and need not be searched for.
func inverse(h uint32) (key [8]byte) {
	const m, seed = 0x5bd1e995, 0x9747b28c
	inv := uint32(1)
	for range 5 {
		inv *= 2 - m*inv // Newton's method for the inverse of an odd number
	}
	unshift := func(x uint32, by uint) uint32 {
		y := x
		for range 32 / by {
			y = x ^ y>>by
		}
		return y
	}
	h = unshift(h, 15) * inv
	h = unshift(h, 13)
	start := uint32(seed) ^ 8
	// The first four bytes are zero: they mix to 0, which leaves start*m.
	k := h ^ start*m*m
	k = unshift(k*inv, 24) * inv
	binary.LittleEndian.PutUint32(key[4:], k)
	return key
}

func TestPartitionOfTheSmallestHashIsNotNegative(t *testing.T) {
	key := inverse(1 << 31)
	if got := sum(string(key[:])); got != 0 {
		t.Fatalf("hash of %x is %d, want 0: the smallest int32 without its sign bit", key, got)
	}
	for _, n := range []int32{3, 12, 100} {
		if got := topics.Partition(key[:], n); got != 0 {
			t.Errorf("partition of %x in %d is %d, want 0", key, n, got)
		}
	}
	// The same key through sarama's formula, which takes the absolute value.
	m := &sarama.ProducerMessage{Key: sarama.ByteEncoder(key[:])}
	if got, err := sarama.NewCustomHashPartitioner(topics.NewHasher)("t").Partition(m, 12); err != nil || got != 0 {
		t.Errorf("sarama puts %x at %d (%v), want 0", key, got, err)
	}
}

// Keys whose FNV-1a hash is the smallest int32 break goka's default hasher. They
// were found by search.
func TestPartitionTakesKeysThatBreakFNV(t *testing.T) {
	for _, key := range []string{"acgrzzP", "afjtjzd", "a01sk58"} {
		h := fnv.New32a()
		h.Write([]byte(key))
		if h.Sum32() != 1<<31 {
			t.Fatalf("FNV-1a of %q is %d, want %d", key, h.Sum32(), uint32(1<<31))
		}
		m := &sarama.ProducerMessage{Key: sarama.StringEncoder(key)}
		got, err := sarama.NewCustomHashPartitioner(topics.NewHasher)("t").Partition(m, 12)
		if want := topics.Partition([]byte(key), 12); err != nil || got != want {
			t.Errorf("sarama puts %q at %d (%v), want %d", key, got, err, want)
		}
	}
}

func TestHasherStartsAgainAfterReset(t *testing.T) {
	h := topics.NewHasher()
	h.Write([]byte("other"))
	h.Reset()
	h.Write([]byte("foo"))
	h.Write([]byte("bar"))
	if got, want := h.Sum32(), sum("foobar"); got != want {
		t.Errorf("hash after a reset is %d, want %d", got, want)
	}
	if got := binary.BigEndian.Uint32(h.Sum([]byte{})); got != sum("foobar") {
		t.Errorf("Sum is %d, want %d", got, sum("foobar"))
	}
}

func TestPositionKeyHashesToItsPartition(t *testing.T) {
	for _, n := range []int32{1, 2, 12, 100} {
		for p := range n {
			key := topics.PositionKey(p, n)
			if got := topics.Partition(key, n); got != p {
				t.Errorf("partition of %s in %d is %d, want %d", key, n, got, p)
			}
			var k int
			if _, err := fmt.Sscanf(string(key), "~position.%d", &k); err != nil {
				t.Fatalf("key is %s, want ~position.<number>", key)
			}
			for smaller := range k {
				if topics.Partition(fmt.Appendf(nil, "~position.%d", smaller), n) == p {
					t.Errorf("key of %d of %d is %s, want the smaller number %d", p, n, key, smaller)
				}
			}
		}
	}
}

func BenchmarkPartition(b *testing.B) {
	key := []byte("customer-000123456789")
	for b.Loop() {
		topics.Partition(key, 12)
	}
}
