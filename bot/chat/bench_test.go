package chat_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Where the bench stands, and who is around it.
const (
	benchTeam  = "T0BENCH"
	benchHome  = "C0HOME001" // the log channel
	benchPlace = "C0PLACE01" // where let-go is asked for
	benchHook  = "https://hooks.slack.example/actions/1"
)

var benchPeople = []string{"U0ADA", "U0MALLORY", "U0NEMO", "U0GUEST", "U0ALIEN", ""}

// bench is a bot without an office, for looking at very many commands and
// clicks: Slack and GitHub are functions, the database is in memory, and nobody
// works on what is stored.
type bench struct {
	wire
	chat   *chat.Chat
	store  *store.Store
	desk   *bot.Desk
	now    time.Time // the desk's; each turn has its own
	click  int64     // the newest
	turns  int       // so far
	stored int       // requests so far
}

var atBench struct {
	sync.Mutex
	*bench
}

// shortly lets no time be spent on making shorter what is merely new to fuzzing:
// what the database runs through differs from turn to turn.
func shortly() {
	if !slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.fuzzminimizetime=") }) {
		flag.Set("test.fuzzminimizetime", "1s")
	}
}

// turn is a bench with one's own time on its clock.
func turn(t *testing.T) *bench {
	t.Helper()
	if atBench.bench == nil || atBench.turns > 300 || atBench.stored > 60 {
		if atBench.bench != nil {
			atBench.store.Close()
		}
		atBench.bench = newBench(t, nil)
	}
	b := atBench.bench
	b.now, b.turns = b.now.Add(time.Second), b.turns+1
	b.wire.reset()
	return b
}

// newBench is a bench whose Slack answers as said, by method, where that isn't nil.
func newBench(t *testing.T, said map[string]string) *bench {
	t.Helper()
	return newBenchOn(t, "sqlite::memory:", said)
}

// newBenchOn is one with its database at an address.
func newBenchOn(t *testing.T, address string, said map[string]string) *bench {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	// A job engine that was stopped takes jobs, and does none.
	if err := s.Start(ctx, 1, func(context.Context, string, int64) time.Duration { return 0 }, func(context.Context, int64) time.Duration { return 0 }); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	b := &bench{wire: wire{said: said}, store: s, now: noon}
	client, err := githubaccess.New("https://github.example/", githubaccess.Token{Value: "ghp_reader", Next: &b.wire})
	if err != nil {
		t.Fatal(err)
	}
	terms := request.DefaultTerms()
	terms.Place, terms.Approval = "reliability-eng", ops.Rule{Count: 1}
	open := terms
	open.Requesters = request.ByPlace
	tidying := tidy(work)
	tidying.Form[0].Check = func(s string) error {
		if strings.ContainsAny(s, "<&@\x00") || utf8.RuneCountInString(s) > 39 {
			return &ops.Error{Kind: ops.Invalid, What: fmt.Sprintf("%q can't be a login.", s)}
		}
		return nil
	}
	plain := tidying
	plain.Name, plain.Command, plain.Form = "sweep-up", "/sweep-up", nil
	letGo, burn := new(crew).letGo(), new(crew).letGo()
	burn.Name, burn.Command, burn.Dangerous = "burn-down", "/burn-down", true
	b.desk = &bot.Desk{
		Store: s, Operations: []ops.Operation{tidying, plain, letGo, burn}, Terms: map[string]request.Terms{"let-go": terms, "burn-down": open},
		Log: quiet, Now: func() time.Time { return b.now },
		Team: &team.Team{
			GitHub: client, Organization: "ministryofjustice", Slug: admins, Channel: "#aws-root-account",
			Identities: map[string]string{"U0ADA": "ada", "U0GRACE": "grace", "U0MALLORY": "mallory", "U0ALIEN": "ada"},
		},
	}
	if err := ops.Validate(b.desk.Operations); err != nil {
		t.Fatal(err)
	}
	b.chat = chat.New(b.desk, chat.Settings{AppToken: "xapp-1", BotToken: "xoxb-1", APIURL: "https://slack.example/api/", LogChannel: "aws-root-account"}, quiet)
	b.chat.Through(&b.wire)
	b.chat.Calm()
	if err := b.chat.Wire(ctx); err != nil {
		t.Fatal(err)
	}
	for _, r := range shelf() {
		if err := s.Insert(ctx, r, request.Change{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Update(ctx, r.ID, func(now *request.Request) (request.Change, error) {
			now.Plan = r.Plan
			return request.Change{}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// shelf are requests that stand in all the states in which somebody may press a button.
func shelf() []request.Request {
	plan := &ops.Plan{Summary: "Lets <!channel> go.", Target: ann, Steps: []ops.Step{{Do: "go", Title: "Let `<!here>` go", Effects: []string{"take the badge"}}, {Do: "wait", Title: "Wait"}}}
	var list []request.Request
	for i, r := range []request.Request{
		{Operation: "let-go", State: request.Waiting, Plan: plan, Need: 1, ExpiresAt: noon.Add(time.Hour)},
		{Operation: "burn-down", State: request.Waiting, Plan: plan, Need: 1, ExpiresAt: noon.Add(time.Hour)},
		{Operation: "let-go", State: request.Running, Plan: plan, Step: 1, StartedAt: noon, UndoUntil: noon.Add(time.Hour)},
		{Operation: "tidy-up", State: request.Failed, Inputs: ops.Inputs{"people": {"octocat"}}, Plan: &ops.Plan{Summary: "x", Steps: []ops.Step{{Do: "tidy"}}}, EndedAt: noon, Reason: "No <@U0EVE> & no ```broom```."},
		{Operation: "let-go", State: request.Unknown, Inputs: ops.Inputs{"emails": {ann}, "reason": {"<!here>"}, "confirmed": {"yes"}}, Plan: plan, EndedAt: noon, Reason: "\u202e<https://evil.example|Who> knows."},
		{Operation: "tidy-up", State: request.Failed, EndedAt: noon, Reason: strings.Repeat("& ", 4000)}, // it has no plan
		{Operation: "tidy-up", State: request.Succeeded, Plan: plan, EndedAt: noon},
		{Operation: "tidy-up", State: request.Asked},
		{Operation: "gone-by", State: request.Waiting, Plan: plan, Need: 2, ExpiresAt: noon},
		{Operation: "gone-by", State: request.Failed, Plan: plan, EndedAt: noon},
		{Operation: "let-go", State: request.Running, Plan: plan, StartedAt: noon, Need: 1, Glass: &request.Review{By: "grace", User: "U0GRACE", At: noon, Reason: "<!channel>"}},
	} {
		r.ID, r.At, r.AdmittedAt, r.By = fmt.Sprintf("01970000-0000-7000-8000-%012d", i+1), noon.Add(-time.Minute), noon, "ada"
		r.Asker = request.Asker{Front: "slack", Workspace: benchTeam, User: "U0ADA", Channel: benchPlace}
		if i == 8 {
			r.By, r.Asker.User = "slack.U0NEMO", "U0NEMO"
		}
		list = append(list, r)
	}
	return list
}

// trigger is what tells this turn from every other.
func (b *bench) trigger() string { return fmt.Sprintf("1.2.%d", b.turns) }

// came are the requests and the clicks that were stored in this turn.
func (b *bench) came(t *testing.T) (requests []request.Request, clicks []request.Click) {
	t.Helper()
	ctx := context.Background()
	for limit := 1; len(requests) == limit/8; limit *= 8 { // the newest come first
		list, err := b.store.Recent(ctx, "", limit)
		if err != nil {
			t.Fatal(err)
		}
		requests = slices.DeleteFunc(list, func(r request.Request) bool { return !r.At.Equal(b.now) })
	}
	for {
		c, err := b.store.Click(ctx, b.click+1)
		if err != nil {
			break
		}
		b.click++
		clicks = append(clicks, c)
	}
	b.stored += len(requests) + len(clicks)/4
	return requests, clicks
}

// wire is Slack and GitHub, as far as the bot asks them anything before it acknowledges.
type wire struct {
	mu      sync.Mutex
	answers []answer // through a response_url
	views   []slack.ModalViewRequest
	strange []string          // calls that nobody expects
	said    map[string]string // what Slack answers, by method; it answers to others in the usual way
}

// answer is what is said through a response_url.
type answer struct {
	Text            string          `json:"text"`
	ResponseType    string          `json:"response_type"`
	Blocks          json.RawMessage `json:"blocks"`
	ReplaceOriginal bool            `json:"replace_original"`
	DeleteOriginal  bool            `json:"delete_original"`
}

func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers, w.views, w.strange = nil, nil, nil
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	status, text := w.ask(r, body)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}, nil
}

func (w *wire) ask(r *http.Request, body []byte) (int, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch form, _ := url.ParseQuery(string(body)); {
	case r.URL.Host == "github.example":
		switch login := path.Base(r.URL.Path); login {
		case "ada", "grace":
			return 200, `{"state":"active"}`
		case admins:
			return 200, `{"slug":"` + admins + `"}`
		case "7":
			return 200, `{"id":7,"login":"ada"}`
		}
		return 404, `{"message":"Not Found"}`
	case r.URL.Host != "slack.example":
		var a answer
		if err := json.Unmarshal(body, &a); err != nil {
			w.strange = append(w.strange, fmt.Sprintf("%s: %v", r.URL, err))
		}
		w.answers = append(w.answers, a)
		return 200, "ok"
	default:
		method := path.Base(r.URL.Path)
		if said := w.said[method]; said != "" {
			return 200, said
		}
		switch method {
		case "auth.test":
			return 200, `{"ok":true,"team_id":"` + benchTeam + `","url":"https://bench.slack.example/","user":"rootbot"}`
		case "conversations.list":
			return 200, `{"ok":true,"channels":[{"id":"` + benchHome + `","name":"aws-root-account","is_member":true},{"id":"` + benchPlace + `","name":"reliability-eng","is_member":true}]}`
		case "conversations.info":
			names := map[string]string{benchHome: "aws-root-account", benchPlace: "reliability-eng"}
			return 200, fmt.Sprintf(`{"ok":true,"channel":{"id":%q,"name":%q,"is_member":true}}`, form.Get("channel"), names[form.Get("channel")])
		case "conversations.members":
			return 200, `{"ok":true,"members":["U0ADA","U0NEMO","U0GUEST"]}`
		case "users.info":
			return 200, fmt.Sprintf(`{"ok":true,"user":{"id":%q,"team_id":%q,"is_restricted":%t}}`, form.Get("user"), benchTeam, form.Get("user") == "U0GUEST")
		case "views.open":
			var opened struct {
				View slack.ModalViewRequest `json:"view"`
			}
			if err := json.Unmarshal(body, &opened); err != nil {
				w.strange = append(w.strange, fmt.Sprintf("views.open: %v", err))
			}
			w.views = append(w.views, opened.View)
			return 200, `{"ok":true,"view":{}}`
		default:
			w.strange = append(w.strange, method)
			return 200, `{"ok":false,"error":"unknown_method"}`
		}
	}
}

// acknowledged complains of a payload that Slack wouldn't take as an ack's.
func acknowledged(t *testing.T, payload any) {
	t.Helper()
	client := socketmode.New(slack.New("xoxb-1"))
	if err := client.AckCtx(context.Background(), "00000000-0000-4000-8000-000000000000", payload); err != nil {
		t.Errorf("Slack gets no ack: %v", err)
	}
}

// tame complains of everything in a text that Slack would make a mention or a
// link, but for the place and people who asked.
func tame(t *testing.T, text string, limit int) {
	t.Helper()
	for _, found := range angle.FindAllString(text, -1) {
		asker := slices.ContainsFunc(benchPeople, func(id string) bool { return found == "<@"+id+">" })
		if found != "<#"+benchPlace+">" && !asker {
			t.Errorf("there is a %.80q in %.300q", found, text)
		}
	}
	if i := strings.IndexFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
	}); i >= 0 {
		t.Errorf("there is a %.1q in %.300q", text[i:], text)
	}
	if n := utf8.RuneCountInString(text); n == 0 || n > limit || !utf8.ValidString(text) {
		t.Errorf("a text of %d characters: %.300q", n, text)
	}
}

// answered looks at what was said besides the ack.
func (b *bench) answered(t *testing.T) {
	t.Helper()
	b.chat.Settle()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.strange) > 0 {
		t.Errorf("the bot calls %v", b.strange)
	}
	for _, a := range b.answers {
		tame(t, a.Text, 3000)
		if a.ResponseType != "ephemeral" || a.Blocks != nil && !strings.HasPrefix(a.Text, "*Open requests*") || a.ReplaceOriginal || a.DeleteOriginal {
			t.Errorf("the answer is %+v", a)
		}
	}
	for _, v := range b.views {
		modal(t, v)
	}
}

// modal complains of a form that Slack wouldn't open, or in which something is
// more than text.
// https://docs.slack.dev/reference/views/modal-views
func modal(t *testing.T, v slack.ModalViewRequest) {
	t.Helper()
	short := func(what string, text *slack.TextBlockObject, limit int) {
		t.Helper()
		if text == nil || text.Type != slack.PlainTextType || text.Text == "" || utf8.RuneCountInString(text.Text) > limit || !utf8.ValidString(text.Text) {
			t.Errorf("the %s of %s is %+v", what, v.CallbackID, text)
		}
	}
	short("title", v.Title, 24)
	short("submit", v.Submit, 24)
	short("close", v.Close, 24)
	if len(v.CallbackID) > 255 || utf8.RuneCountInString(v.PrivateMetadata) > 3000 || len(v.Blocks.BlockSet) == 0 || len(v.Blocks.BlockSet) > 100 {
		t.Errorf("a form %q with %d characters of metadata and %d blocks", v.CallbackID, utf8.RuneCountInString(v.PrivateMetadata), len(v.Blocks.BlockSet))
	}
	for _, block := range v.Blocks.BlockSet {
		switch block := block.(type) {
		case *slack.SectionBlock:
			tame(t, block.Text.Text, 3000)
		case *slack.InputBlock:
			short("label", block.Label, 2000)
			if block.Hint != nil {
				short("hint", block.Hint, 2000)
			}
			if input, ok := block.Element.(*slack.PlainTextInputBlockElement); ok && (utf8.RuneCountInString(input.InitialValue) > 3000 || !utf8.ValidString(input.InitialValue)) {
				t.Errorf("the initial value has %d characters", utf8.RuneCountInString(input.InitialValue))
			}
			if boxes, ok := block.Element.(*slack.CheckboxGroupsBlockElement); ok {
				for _, option := range boxes.Options {
					short("option", option.Text, 75)
				}
			}
		default:
			t.Errorf("the form has a %T", block)
		}
	}
}

// kept are the words as they are stored: without secrets.
func kept(words []string) []string {
	list := slices.Clone(words)
	for _, word := range words {
		list = append(list, ops.Redact(word))
	}
	return list
}

// among tells whether each text is part of one of the wholes.
func among(wholes []string, texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool {
		return !slices.ContainsFunc(wholes, func(whole string) bool { return strings.Contains(whole, text) })
	})
}
