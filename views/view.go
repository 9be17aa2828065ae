package views

import (
	"fmt"
	"hash"
	"time"

	"github.com/lovoo/goka"

	"billstream/internal/topics"
)

// AccountView is what goka needs to keep a copy of the accounts: the table, how
// its rows are decoded, and the options that belong to the view itself. The
// caller adds the clients, the store and the logger.
type AccountView struct {
	Table   goka.Table
	Codec   goka.Codec
	Options []goka.ViewOption
}

// Accounts returns the view over billing-table. Its rows stay bytes: they are
// decoded by the request that asks for one, and not for all customers by
// whichever record arrives. newHasher is the hasher that all topics share.
//
// The view connects again by itself for ever, with a pause that grows from
// 250 ms to 5 s; goka's own pause grows to two minutes.
func Accounts(newHasher func() hash.Hash32) AccountView {
	return AccountView{
		Table: goka.Table(topics.BillingTable),
		Codec: rows{},
		Options: []goka.ViewOption{
			goka.WithViewHasher(newHasher),
			goka.WithViewAutoReconnect(),
			goka.WithViewBackoffBuilder(func() (goka.Backoff, error) {
				return goka.NewSimpleBackoff(250*time.Millisecond, 5*time.Second), nil
			}),
		},
	}
}

// rows is the codec of a view that keeps its rows as bytes.
type rows struct{}

// Encode returns the bytes of a row.
func (rows) Encode(value any) ([]byte, error) {
	b, ok := value.([]byte)
	if !ok {
		return nil, fmt.Errorf("row is a %T, want bytes", value)
	}
	return b, nil
}

// Decode returns row as it is.
func (rows) Decode(row []byte) (any, error) { return row, nil }
