package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// people are customers for the whole program: rows as it stores them, and events
// as it reads them. The small job's own are in workload.go.
type people struct {
	customers  int
	events     int // that happened to each before a measurement
	partitions int32
	kinds      []*billing.Row // customer n is of kind n modulo their number
	rows       [][]byte       // of each kind
}

// peopleKinds is how many different rows there are: more than a cache line
// predictor learns, and few enough to be made at once.
const peopleKinds = 64

// newPeople makes customers, each of whom so many events have happened to, one a
// day from the beginning of a year on: the same in every process.
func newPeople(customers, events int, partitions int32) (*people, error) {
	p := &people{customers: customers, events: events, partitions: partitions}
	began := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range min(peopleKinds, customers) {
		row, err := grow(n, events, began)
		if err != nil {
			return nil, fmt.Errorf("make a row of %d events: %w", events, err)
		}
		encoded, err := codecs.AppendRow(nil, row)
		if err != nil {
			return nil, fmt.Errorf("make a row of %d events: %w", events, err)
		}
		p.kinds, p.rows = append(p.kinds, row), append(p.rows, encoded)
	}
	return p, nil
}

// grow folds events into a new row. Where they stood is not in it: those of the
// measurement begin a log of their own.
func grow(n, events int, at time.Time) (*billing.Row, error) {
	var row *billing.Row
	for i := range events {
		at = at.Add(24 * time.Hour)
		envelope := happening("", n*events+i, i, at)
		envelope.Subject = customerKey(n)
		e, err := envelope.Event()
		if err != nil {
			return nil, err
		}
		r, err := billing.Apply(row, e, billing.Position{Topic: topics.CustomerEvents, Offset: int64(i)}, customer.InstantOf(at))
		switch {
		case err != nil:
			return nil, err
		case r.Row != nil:
			row = r.Row
		}
	}
	own := *row
	own.AppliedPartition, own.AppliedOffset = 0, -1
	return &own, nil
}

// happening is an event of which unique is told apart from all others, and
// which of the kinds step chooses; step 0 registers the customer.
func happening(subject string, unique, step int, at time.Time) codecs.Envelope {
	who, where := unique%len(names), unique%len(streets)
	address := fmt.Sprintf(`{"line1":"%s %d","city":"%s","postal_code":"%05d","country":"%s"}`,
		streets[where], unique, cities[where], unique%100_000, countries[where])
	contact := fmt.Sprintf(`{"email":"%s.%d@customers.example","locale":"en-GB","time_zone":"Europe/Berlin"}`, names[who], unique)
	plan := fmt.Sprintf(`{"code":"%s","amount_minor":%d,"currency":"EUR","interval":"month"}`, plans[unique%len(plans)], unique)
	name := fmt.Sprintf(`"%s %s %d"`, firsts[who], names[who], unique)
	e := codecs.Envelope{
		SpecVersion: "1.0", ID: "evt-" + strconv.Itoa(unique) + "-" + strconv.Itoa(step), Source: "/bench",
		Subject: subject, Time: at.UTC().Format(time.RFC3339Nano), ContentType: "application/json",
	}
	kind := customer.TypeRegistered
	if step > 0 {
		kind = []customer.Type{
			customer.TypePlanChanged, customer.TypeAddressChanged, customer.TypePaymentMethodChanged,
			customer.TypeContactChanged, customer.TypeRenamed,
		}[step%5]
	}
	e.Type = kind.CloudEvent()
	switch kind {
	case customer.TypePlanChanged:
		e.Data = `{"plan":` + plan + `}`
	case customer.TypeAddressChanged:
		e.Data = `{"kind":"billing","address":` + address + `}`
	case customer.TypePaymentMethodChanged:
		e.Data = fmt.Sprintf(`{"payment_method":{"ref":"pm-%d","type":"card","brand":"visa","last4":"%04d","exp_month":%d,"exp_year":2031}}`,
			unique, unique%10_000, 1+unique%12)
	case customer.TypeContactChanged:
		e.Data = `{"contact":` + contact + `}`
	case customer.TypeRenamed:
		e.Data = `{"name":` + name + `}`
	default:
		e.Data = fmt.Sprintf(`{"name":%s,"billing_address":%s,"contact":%s,"plan":%s}`, name, address, contact, plan)
	}
	return e
}

// row returns the stored row of customer n.
func (p *people) row(n int) []byte { return p.rows[n%len(p.rows)] }

// account returns what a lookup of customer n shows before anything happens.
func (p *people) account(n int) []byte {
	return codecs.AppendAccountJSON(nil, billing.AccountOf(customer.ID(customerKey(n)), p.kinds[n%len(p.kinds)]))
}

// bytes is what the keys and rows of all customers take.
func (p *people) bytes() int64 {
	var sum int64
	for n := range len(p.rows) {
		of := p.customers / len(p.rows)
		if n < p.customers%len(p.rows) {
			of++
		}
		sum += int64(of * (len(customerKey(n)) + len(p.rows[n])))
	}
	return sum
}

// firstUnique is above all numbers in rows: an event must not state what is
// known already.
const firstUnique = 1_000_000

// keys chooses whom events are about.
type keys struct {
	customers int
	random    *rand.Rand
	zipf      *rand.Zipf // nil: all alike
}

// zipfSkew is the exponent of the distribution.
const zipfSkew = 1.1

func newKeys(seed uint64, customers int, skewed bool) *keys {
	k := &keys{customers: customers, random: rand.New(rand.NewPCG(seed, 3))}
	if skewed {
		k.zipf = rand.NewZipf(k.random, zipfSkew, 1, uint64(customers-1))
	}
	return k
}

// next returns the number of a customer.
func (k *keys) next() int {
	if k.zipf == nil {
		return k.random.IntN(k.customers)
	}
	// Neighbours must not be the busy ones: they would share a page of rows.
	return int(k.zipf.Uint64() * 7919 % uint64(k.customers))
}

// eventRecord is the record of something that happens to customer n now; number
// is not used twice.
func (p *people) eventRecord(n, number int) *kgo.Record {
	unique := firstUnique + number
	e := happening(customerKey(n), unique, 1+unique, time.Now())
	r := e.Record(0)
	record := &kgo.Record{
		Topic: topics.CustomerEvents, Partition: topics.Partition(r.Key, p.partitions), Key: r.Key, Value: r.Value,
		Headers: make([]kgo.RecordHeader, len(r.Headers)),
	}
	for i, h := range r.Headers {
		record.Headers[i] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
	}
	return record
}
