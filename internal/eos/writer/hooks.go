package writer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/failpoint"
)

// hooks names the moment at which a commit is on its way and nobody has heard
// of its end.
type hooks struct{}

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (hooks) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if kmsg.Key(key) == kmsg.EndTxn && err == nil {
		failpoint.Hit("eos.end-sent")
	}
}
