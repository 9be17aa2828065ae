package bench

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// errShort means that a value ends too early, or too late.
var errShort = errors.New("length of the value is wrong")

// form is how rows and updates are written: codecs over *account and *update.
type form struct {
	account valueCodec
	update  valueCodec
}

// valueCodec is goka.Codec as funcs.
type valueCodec struct {
	encode func(v any) ([]byte, error)
	decode func(b []byte) (any, error)
}

// Encode implements goka.Codec.
func (c valueCodec) Encode(v any) ([]byte, error) { return c.encode(v) }

// Decode implements goka.Codec.
func (c valueCodec) Decode(b []byte) (any, error) { return c.decode(b) }

// formOf returns how an arm writes: goka's users begin with JSON.
func formOf(w Way) form {
	if w == Stock {
		return form{account: jsonCodec[account](), update: jsonCodec[update]()}
	}
	return form{
		account: valueCodec{
			encode: func(v any) ([]byte, error) { return v.(*account).append(nil), nil },
			decode: func(b []byte) (any, error) { return decodeAccount(b) },
		},
		update: valueCodec{
			encode: func(v any) ([]byte, error) { return v.(*update).append(nil), nil },
			decode: func(b []byte) (any, error) { return decodeUpdate(b) },
		},
	}
}

func jsonCodec[T any]() valueCodec {
	return valueCodec{
		encode: json.Marshal,
		decode: func(b []byte) (any, error) {
			v := new(T)
			return v, json.Unmarshal(b, v)
		},
	}
}

// eventCodec is how all arms read the input.
func eventCodec() valueCodec {
	return valueCodec{
		encode: func(v any) ([]byte, error) { return v.(*event).append(nil), nil },
		decode: func(b []byte) (any, error) { return decodeEvent(b) },
	}
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (e *event) append(b []byte) []byte {
	if b == nil {
		b = make([]byte, 0, 192)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(e.At))
	b = append(b, byte(e.Kind))
	b = binary.AppendVarint(b, e.Amount)
	for _, s := range []string{e.ID, e.Name, e.Email, e.Street, e.City, e.Country, e.Plan, e.Currency, e.Phone, e.TaxID} {
		b = appendString(b, s)
	}
	return b
}

func decodeEvent(b []byte) (*event, error) {
	r := newReader(b)
	e := &event{At: int64(r.fixed()), Kind: kind(r.byte()), Amount: r.varint()}
	for _, s := range []*string{&e.ID, &e.Name, &e.Email, &e.Street, &e.City, &e.Country, &e.Plan, &e.Currency, &e.Phone, &e.TaxID} {
		*s = r.string()
	}
	return e, r.end("event")
}

func (a *account) append(b []byte) []byte {
	if b == nil {
		b = make([]byte, 0, a.size()) // rows stay in memory
	}
	b = binary.BigEndian.AppendUint64(b, uint64(a.OpenedAt))
	b = binary.BigEndian.AppendUint64(b, uint64(a.At))
	b = binary.AppendVarint(b, a.Seq)
	b = binary.AppendVarint(b, a.Balance)
	b = binary.AppendVarint(b, a.Paid)
	for _, s := range a.texts() {
		b = appendString(b, s)
	}
	return b
}

func (a *account) texts() [11]string {
	return [...]string{a.Last, a.Name, a.Email, a.Street, a.City, a.Country, a.Plan, a.Before, a.Currency, a.Phone, a.TaxID}
}

// size is what append needs, or a few bytes more.
func (a *account) size() int {
	n := 16 + 3*6 // times, and numbers up to 2^41
	for _, s := range a.texts() {
		n += 1 + len(s)
	}
	return n
}

func decodeAccount(b []byte) (*account, error) {
	r := newReader(b)
	a := new(account)
	r.account(a)
	return a, r.end("account")
}

func (u *update) append(b []byte) []byte {
	if b == nil {
		b = make([]byte, 0, 7+u.Account.size())
	}
	b = append(b, byte(u.Kind))
	b = binary.AppendVarint(b, u.Old)
	return u.Account.append(b)
}

func decodeUpdate(b []byte) (*update, error) {
	r := newReader(b)
	u := &update{Kind: kind(r.byte()), Old: r.varint()}
	r.account(&u.Account)
	return u, r.end("update")
}

// reader takes a value apart. Its strings share one copy of the value, since
// the value itself belongs to the client. After the first mistake it gives
// nothing more.
type reader struct {
	b   []byte
	all string
	at  int
	bad bool
}

func newReader(b []byte) *reader { return &reader{b: b, all: string(b)} }

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || len(r.b)-r.at < n {
		r.bad = true
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *reader) fixed() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b[r.at:])
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.at += n
	return v
}

func (r *reader) string() string {
	length, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 || length > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	r.at += n
	if r.take(int(length)) == nil {
		return ""
	}
	return r.all[r.at-int(length) : r.at]
}

func (r *reader) account(a *account) {
	a.OpenedAt, a.At = int64(r.fixed()), int64(r.fixed())
	a.Seq, a.Balance, a.Paid = r.varint(), r.varint(), r.varint()
	for _, s := range []*string{&a.Last, &a.Name, &a.Email, &a.Street, &a.City, &a.Country, &a.Plan, &a.Before, &a.Currency, &a.Phone, &a.TaxID} {
		*s = r.string()
	}
}

func (r *reader) end(what string) error {
	if r.bad || r.at != len(r.b) {
		return fmt.Errorf("decode an %s: %w", what, errShort)
	}
	return nil
}
