//go:build browser

package views_test

import (
	"context"
	"iter"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
	"billstream/views"
)

// browser is the console page in Chromium.
type browser struct {
	t        *testing.T
	ctx      context.Context
	messages iter.Seq2[chromedp.ConsoleMessage, error]
}

// open starts Chromium with an empty profile on the console of w. Without
// Chromium the test fails.
func open(t *testing.T, w *world, width, height int, flags ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	options := append([]chromedp.ExecAllocatorOption{
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(width, height),
	}, flags...)
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &browser{t: t, ctx: ctx, messages: chromedp.Console(ctx)}
	b.do(chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(server.URL+"/"))
	return b
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// ask runs an action that gives a value.
func ask[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// text waits until the element is seen and returns its text.
func (b *browser) text(selector string) string {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)))
	return ask(b, chromedp.Text(chromedp.CSS(selector)))
}

// number evaluates a script that gives a number.
func (b *browser) number(script string) int {
	b.t.Helper()
	return ask(b, chromedp.Evaluate[int](script))
}

// wait returns once the script is true, which is looked at with each frame. The
// page's policy forbids chromedp.Poll: that makes a function of a text.
func (b *browser) wait(script string) {
	b.t.Helper()
	ask(b, chromedp.Evaluate[bool](`(async () => { while (!(`+script+`)) await new Promise(requestAnimationFrame); return true })()`, chromedp.EvalAwaitPromise))
}

// click clicks the element.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// picture keeps a picture of the page beside the test's other results.
func (b *browser) picture(name string) {
	b.t.Helper()
	png := ask(b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// done closes the page and fails if it complained. Answers 4xx and 5xx are in
// Chromium's log as well: those the tests ask for.
func (b *browser) done() {
	b.t.Helper()
	const last = "that was all"
	ask(b, chromedp.Evaluate[bool](`console.log('`+last+`'), true`))
	for m, err := range b.messages {
		if err != nil {
			b.t.Fatal(err)
		}
		if m.Text == last {
			return
		}
		if m.Source != "network" || !strings.Contains(m.URL, "/v1/") {
			b.t.Errorf("the page complains: %s (%s)", m, m.URL)
		}
	}
}

func (b *browser) lookUp(id string) {
	b.t.Helper()
	field := chromedp.CSS("#id")
	b.do(chromedp.SetValue(field, id), chromedp.SendKeys(field, kb.Enter))
}

// script is a customer that tries to run a script in the page.
const script = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`

func consoleWorld(t *testing.T) *world {
	w := newWorld(t, 3)
	full := acme(t, 5)
	at := instant(t, registeredAt)
	full.Timelines[billing.FacetBillingAddress].Versions[0].Value = &customer.Address{Line1: "Main Street 1", City: "Springfield", Country: "US"}
	full.Timelines[billing.FacetPaymentMethod].Versions = []billing.Version{{EffectiveFrom: at, Time: at, Value: &customer.PaymentMethod{Ref: "pm_8Xc1", Type: "card", Brand: "visa", Last4: "4242", ExpMonth: 3, ExpYear: 2028}}}
	ahead := at + 90*24*3600*1e6
	full.Timelines[billing.FacetPlan].Versions = append(full.Timelines[billing.FacetPlan].Versions,
		billing.Version{EffectiveFrom: ahead, Time: at, Event: 2, Value: &customer.Plan{Code: "max", AmountMinor: 990000, Currency: "JPY", Interval: customer.IntervalYear}})
	w.put("c-1001", full)
	w.put(script, row(t, 1, billing.StatusActive, map[billing.Facet]billing.Value{billing.FacetName: billing.Name(script)}))
	w.put("gone", row(t, 3, billing.StatusErased, nil))
	for i := range 40 {
		w.put("d-"+string(rune('a'+i%26))+string(rune('a'+i/26)), row(t, 1, billing.StatusClosed, nil))
	}
	return w
}

func TestConsoleShowsAnAccount(t *testing.T) {
	b := open(t, consoleWorld(t), 1200, 900)
	b.lookUp("c-1001")
	if got := b.text("#account-title"); got != "c-1001" {
		t.Errorf("title is %q, want c-1001", got)
	}
	facets := b.text("#account-facets")
	for _, want := range []string{"Acme Widgets GmbH", "Springfield", "ap@acme.example", "DE123456789", "pm_8Xc1", "4242", "03/2028", "59.00", "not set"} {
		if !strings.Contains(facets, want) {
			t.Errorf("facets are %q, want %q in them", facets, want)
		}
	}
	extra := b.text("#account-extra")
	for _, want := range []string{"max", "990,000", "2026-05-30 09:00:00 UTC", "subdivision_missing"} {
		if !strings.Contains(extra, want) {
			t.Errorf("extra is %q, want %q in it", extra, want)
		}
	}
	if got := b.text("#account-status"); got != "active" {
		t.Errorf("status is %q, want active", got)
	}
	if got := b.text("#readiness"); got != "ready" {
		t.Errorf("readiness is %q, want ready", got)
	}
	if n := b.number(`document.activeElement.id === 'account-title' ? 1 : 0`); n != 1 {
		t.Error("focus is elsewhere, want it on the answer")
	}
	b.click("summary")
	if got := b.text("#account-json"); !strings.Contains(got, `"customer_id": "c-1001"`) {
		t.Errorf("raw JSON is %q", got)
	}
	b.picture("account")
	b.done()
}

func TestConsoleKeepsValuesText(t *testing.T) {
	b := open(t, consoleWorld(t), 1200, 900)
	b.lookUp(script)
	if got := b.text("#account-title"); got != script {
		t.Errorf("title is %q, want the id as it is", got)
	}
	if got := b.text("#account-facets"); !strings.Contains(got, script) {
		t.Errorf("facets are %q, want the name as it is", got)
	}
	b.wait(`document.querySelectorAll('#rows tr').length === 25`)
	if n := b.number(`document.querySelectorAll('main img, main script').length`); n != 0 {
		t.Errorf("number of elements made of values is %d, want 0", n)
	}
	if title := ask(b, chromedp.Title()); title != "billstream console" {
		t.Errorf("page title is %q: a value ran as a script", title)
	}
	b.picture("text")
	b.done()
}

func TestConsoleExplainsWhatIsNotThere(t *testing.T) {
	b := open(t, consoleWorld(t), 1200, 900)
	b.lookUp("nobody")
	b.wait(`document.getElementById('problem-title').textContent === 'Unknown account'`)
	b.lookUp("gone")
	b.wait(`document.getElementById('problem-title').textContent === 'The customer was erased'`)
	if got := b.text("#problem-detail"); !strings.Contains(got, "2026-03-01 09:00:00 UTC") {
		t.Errorf("detail is %q, want the instant", got)
	}
	b.picture("problem")
	b.done()
}

func TestConsoleWalksTheList(t *testing.T) {
	b := open(t, consoleWorld(t), 1200, 900)
	b.wait(`document.querySelectorAll('#rows tr').length === 25`)
	b.click("#next")
	b.wait(`document.querySelectorAll('#rows tr').length === 17 && document.getElementById('next').disabled`)
	b.click("#first")
	b.wait(`document.querySelectorAll('#rows tr').length === 25 && document.getElementById('first').disabled`)
	b.do(chromedp.SendKeys(chromedp.CSS("#status"), "erased"))
	b.wait(`document.querySelectorAll('#rows tr').length === 1`)
	b.click("#rows a")
	b.wait(`document.getElementById('problem-title').textContent === 'The customer was erased'`)
	b.done()
}

func TestConsoleWaitsForTheRecovery(t *testing.T) {
	w := consoleWorld(t)
	w.recovering(topics.Partition([]byte("c-1001"), w.Partitions), 1204311)
	b := open(t, w, 1200, 900)
	b.wait(`document.getElementById('readiness').textContent === 'recovering, 1,204,311 records left'`)
	b.lookUp("c-1001")
	b.wait(`document.getElementById('problem-title').textContent === 'Recovering'`)
	b.picture("recovering")
	w.recovered()
	if got := b.text("#account-title"); got != "c-1001" { // by itself
		t.Errorf("title is %q, want c-1001", got)
	}
	b.wait(`document.getElementById('readiness').textContent === 'ready' && document.querySelectorAll('#rows tr').length === 25`)
	b.done()
}

// Behind one address there may be an instance that is not as far as the one that
// answered before.
func TestConsoleNeverShowsAnOlderState(t *testing.T) {
	w := consoleWorld(t)
	home := homeOf("c-1001", w.Partitions)
	waits := make(chan struct{}, 1)
	changed := w.Changed
	w.Changed = func(p int32) <-chan struct{} {
		defer func() {
			select {
			case waits <- struct{}{}:
			default:
			}
		}()
		return changed(p)
	}
	var err error
	if w.handler, err = views.New(w.Config); err != nil {
		t.Fatal(err)
	}
	w.reached(home, 7)
	b := open(t, w, 1200, 900)
	b.wait(`document.querySelectorAll('#rows tr').length === 25`) // all partitions have said where they are
	w.reached(home, 3)
	b.lookUp("c-1001")
	select {
	case <-waits:
	case <-b.ctx.Done():
		t.Fatal("the page waits for no position, want the one it has seen")
	}
	w.reached(home, 8)
	if got := b.text("#account-meta"); !strings.Contains(got, at(home, 8)) {
		t.Errorf("account is shown with %q, want position %s", got, at(home, 8))
	}
	b.done()
}

func TestConsoleFitsANarrowDarkScreen(t *testing.T) {
	const dark = "preferredColorScheme=0"
	b := open(t, consoleWorld(t), 360, 740, chromedp.Flag("blink-settings", dark))
	if n := b.number(`matchMedia('(prefers-color-scheme: dark)').matches ? 1 : 0`); n != 1 {
		t.Error("the browser prefers light, want dark")
	}
	b.lookUp("c-1001")
	b.text("#account-title")
	if wide := b.number(`document.documentElement.scrollWidth`); wide > 360 {
		t.Errorf("page is %d px wide, want at most 360", wide)
	}
	b.picture("narrow")
	b.done()
}
