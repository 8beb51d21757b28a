package bot_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

const burns = "The roof burns."

// Two members have it run alone: another one, and the requester.
var (
	emergency = request.Review{By: "hubot", User: "U2", Digest: planOf(2).Digest(), Reason: burns}
	askers    = request.Review{By: "octocat", Digest: planOf(2).Digest(), Reason: burns}
)

// broken makes a request one that somebody had run alone.
func broken(r *request.Request) {
	waits(2)(r)
	r.Glass = decided(emergency)
}

// fallen is what is left of it once the plan has grown.
func fallen(r *request.Request) {
	waitsAnew(2)(r)
	r.Plan, r.Glass = fortnight, decided(emergency)
	r.Glass.Fallen = true
}

// emergencies are what can happen to a request that somebody has run alone.
var emergencies = []step{
	{
		name: "somebody has it run alone, which all members read at once",
		from: request.Waiting, change: waits(2), h: bot.Happening{Kind: "break-glass", Review: emergency, Click: 7}, want: request.Approved, by: "hubot",
		after: func(r *request.Request) { r.Glass = decided(emergency) },
		tells: []string{request.Glass, request.GlassDue, request.Ask, request.Card}, says: map[string]any{"digest": planOf(2).Digest(), "missing": 2, "reason": burns},
	},
	{
		name: "somebody has run alone what lacks its last approval",
		from: request.Waiting, change: func(r *request.Request) { agreed("monalisa")(r); r.Need = 2 },
		h: bot.Happening{Kind: "break-glass", Review: emergency, Click: 7}, want: request.Approved, by: "hubot",
		after: func(r *request.Request) { r.Glass = decided(emergency) },
		tells: []string{request.Glass, request.GlassDue, request.Ask, request.Card}, says: map[string]any{"missing": 1},
	},
	{
		name: "who asked for it has it run alone",
		from: request.Waiting, h: bot.Happening{Kind: "break-glass", Review: askers, Click: 7}, want: request.Approved,
		after: func(r *request.Request) { r.Glass = decided(askers) },
		tells: []string{request.Glass, request.GlassDue, request.Ask, request.Card},
	},
	{
		name: "what was to be run alone waits again once its plan has grown",
		from: request.Approved, change: broken, h: bot.Happening{Kind: "stale", Plan: fortnight, Terms: demands(2)}, want: request.Waiting,
		after: fallen,
		tells: []string{request.Note, request.Plan, request.Glass, request.Ask, request.Card},
	},
	{
		name: "what is being run alone waits again once its plan has grown",
		from: request.Running, change: func(r *request.Request) { broken(r); r.Step, r.StepBegun = 1, time.Time{} },
		h: bot.Happening{Kind: "stale", Plan: fortnight, Terms: demands(2)}, want: request.Waiting,
		after: fallen,
		tells: []string{request.Note, request.Plan, request.Glass, request.Ask, request.Card},
	},
	{
		name: "members read how what was run alone has ended",
		from: request.Running, change: func(r *request.Request) { broken(r); r.Step = 1 }, h: bot.Happening{Kind: "step-ended"}, want: request.Succeeded,
		after: func(r *request.Request) { r.Step, r.StepBegun = 2, time.Time{} },
		tells: []string{request.Card, request.Ask, request.Direct, request.Glass, request.LogFile, request.Result},
	},
	{
		name: "members read that what was to be run alone was stopped",
		from: request.Approved, change: broken, h: bot.Happening{Kind: "refused", Login: "octocat", Reason: "Not any more.", Fault: ops.Refused}, want: request.Refused,
		after: func(r *request.Request) { r.Reason = "Not any more." },
		tells: []string{request.Card, request.Ask, request.Direct, request.Glass, request.Result},
	},
	{
		name: "somebody looks at it while it runs",
		from: request.Running, change: broken, h: bot.Happening{Kind: "reviewed", Review: request.Review{By: "monalisa", User: "U4", Reason: "It did burn."}, Click: 7},
		want: request.Running, by: "monalisa",
		after: func(r *request.Request) {
			r.Looked = decided(request.Review{By: "monalisa", User: "U4", Reason: "It did burn."})
		},
		tells: []string{request.Glass, request.Card}, says: map[string]any{"reason": "It did burn."},
	},
}

func TestWhatWasRunAloneIsLookedAtOnceItHasEnded(t *testing.T) {
	look := bot.Happening{Kind: "reviewed", Review: request.Review{By: "monalisa", User: "U4", Reason: "It did burn."}, Click: 7}
	for _, s := range states {
		if !s.Ended() {
			continue
		}
		r := in(s)
		broken(&r)
		want := r
		want.Looked = decided(look.Review)
		got, change, err := bot.After(r, look, noon)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		same(t, "what has "+string(s), want, got)
		same(t, "what is told of what has "+string(s), []string{request.Glass, request.Card}, kindsOf(change.Messages))
		if change.Done != 7 || len(change.Events) != 1 || change.Events[0].Kind != "reviewed" || change.Events[0].By != "monalisa" {
			t.Errorf("the record: %+v", change)
		}
	}
}

func TestALookThatDoesntCount(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*request.Request)
		review request.Review
		says   string
	}{
		{"of who had it run alone", nil, request.Review{By: "hubot", User: "U2"}, "neither who asked nor who had it run alone"},
		{"of who had it run alone, in another case and from another place", nil, request.Review{By: "HUBOT", User: "U5"}, "neither who asked"},
		{"of who had it run alone, under another login", nil, request.Review{By: "hubot-too", User: "U2"}, "neither who asked"},
		{"of who asked", nil, request.Review{By: "octocat", User: "U1"}, "neither who asked"},
		{"of who asked, in another case and from another place", nil, request.Review{By: "OctoCat", User: "U6"}, "neither who asked"},
		{"of who asked, under another login", nil, request.Review{By: "octocat-too", User: "U1"}, "neither who asked"},
		{"a second one", func(r *request.Request) { r.Looked = decided(review("mallory", planOf(2))) }, request.Review{By: "monalisa", User: "U4"}, "mallory has looked at it already"},
		{"of what had its approvals", func(r *request.Request) { r.Glass = nil }, request.Review{By: "monalisa", User: "U4"}, "with its approvals"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := in(request.Succeeded)
			broken(&r)
			if test.change != nil {
				test.change(&r)
			}
			got, change, err := bot.After(r, bot.Happening{Kind: "reviewed", Review: test.review, Click: 7}, noon)
			refused(t, err, test.says)
			same(t, "the request", r, got)
			same(t, "what is to be written", request.Change{}, change)
		})
	}
}

// fireHouse is a hall where two approvals are needed, and where hubot and
// octocat may do without.
func fireHouse(t *testing.T, operation ops.Operation) *house {
	t.Helper()
	h := build(t)
	h.stand(noon)
	h.terms = map[string]request.Terms{operation.Name: demands(2)}
	h.settle = func(d *bot.Desk) { d.BreakGlass = []string{"HubOT", "octocat", "mallory"} }
	h.begin(operation)
	return h
}

// notices counts how often members are told that a request is run alone.
func (h *house) notices(id string) int {
	h.t.Helper()
	n := 0
	for _, m := range h.told(id) {
		if m.Kind == request.Glass {
			n++
			same(h.t, "the notice", request.Message{Thread: "glass/" + id, Request: id, Kind: request.Glass}, withoutStamps([]request.Message{m})[0])
		}
	}
	return n
}

func TestWhatIsRunAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, user, login string }{
		{"somebody whom the settings name has it run alone", "U2", "hubot"},
		{"who asked for it has it run alone, if the settings name them", "U1", "octocat"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			begun, goOn := make(chan []string, 1), make(chan bool)
			h := fireHouse(t, tidy(func(_ context.Context, run ops.Run) error {
				begun <- run.Approvers()
				<-goOn
				return nil
			}))
			r := h.waiting()
			if got := h.press(test.user, request.BreakGlass, r, burns); got != "" {
				t.Errorf("who pressed is told %q", got)
			}
			same(t, "who a step is told approved", []string{test.login}, <-begun)
			same(t, "how often members are told while it runs", 2, h.notices(r.ID))
			r = h.request(r.ID)
			same(t, "who had it run alone", &request.Review{By: test.login, Account: h.gh.ID(test.login), User: test.user, At: noon, Digest: r.Digest(), Reason: burns}, r.Glass)
			same(t, "the approvals", 0, len(r.Reviews))
			says(t, h.press("U2", request.BreakGlass, r, burns), "too late", "changed nothing")
			close(goOn)
			if r = h.ended(r.ID); r.State != request.Succeeded {
				t.Errorf("it ended as %s: %s", r.State, r.Reason)
			}
			same(t, "how often members are told in all", 3, h.notices(r.ID))
			e := h.last(r.ID, "break-glass")
			if e.By != test.login || e.Data["reason"] != burns || e.Data["missing"] != 2.0 || e.Data["digest"] != r.Digest() {
				t.Errorf("the record: %+v", e)
			}

			// Afterwards somebody else looks at it, once.
			for _, user := range []string{test.user, "U1"} {
				says(t, h.press(user, request.Reviewed, r, "Fine."), "Somebody else must look at it")
			}
			says(t, h.press("U3", request.Reviewed, r, "Fine."), "mallory is not a member")
			says(t, h.press("U99", request.Reviewed, r, "Fine."), "don't know which GitHub login")
			if got := h.press("U4", request.Reviewed, r, "It did burn."); got != "" {
				t.Errorf("who looked at it is told %q", got)
			}
			says(t, h.press("U4", request.Reviewed, r, "Again."), "monalisa has looked at it already")
			after := h.request(r.ID)
			same(t, "who looked at it", &request.Review{By: "monalisa", Account: h.gh.ID("monalisa"), User: "U4", At: noon, Digest: r.Digest(), Reason: "It did burn."}, after.Looked)
			same(t, "how it ended", r.State, after.State)
			if e := h.last(r.ID, "reviewed"); e.By != "monalisa" || e.Data["reason"] != "It did burn." {
				t.Errorf("the record: %+v", e)
			}
			same(t, "how often members are told with that", 4, h.notices(r.ID))
			same(t, "how often that is recorded", 1, len(slices.DeleteFunc(h.events(r.ID), func(kind string) bool { return kind != "reviewed" })))
		})
	}
}

func TestWhatIsNotRunAlone(t *testing.T) {
	t.Parallel()
	dangerous := called(1, (&shelf{plan: *planOf(1)}).operation())
	dangerous.Dangerous = true
	look := dangerous.Plan
	dangerous.Plan = func(ctx context.Context, r ops.Request, p ops.Progress) (ops.Plan, error) {
		plan, err := look(ctx, r, p)
		plan.Target = "Shelf One"
		return plan, err
	}
	s := &shelf{plan: *planOf(1)}
	h := build(t)
	h.stand(noon)
	h.terms = map[string]request.Terms{"tidy-up": demands(2), dangerous.Name: demands(2)}
	h.settle = func(d *bot.Desk) { d.BreakGlass = []string{"hubot", "mallory"} }
	h.begin(s.operation(), dangerous)
	plain := h.waiting()
	grave := h.reach(h.askFor(1).ID, request.Waiting)
	stays := func(t *testing.T, r request.Request) {
		t.Helper()
		same(t, "the request", r, h.request(r.ID))
		same(t, "how often members are told", 0, h.notices(r.ID))
	}
	for _, test := range []struct {
		name, user string
		digest     string // empty: the plan's
		reason     string
		typed      *string // nil: the plain request
		says       string
		record     string
	}{
		{name: "what a member asks to whom the settings don't give that", user: "U4", reason: burns, says: "Only those whom the bot's settings name under break_glass"},
		{name: "what who asked wants, if the settings don't name them", user: "U1", reason: burns, says: "Only those whom the bot's settings name"},
		{name: "what somebody wants who is named and isn't a member", user: "U3", reason: burns, says: "mallory is not a member"},
		{name: "what a stranger wants", user: "U99", reason: burns, says: "don't know which GitHub login"},
		{name: "what nobody gives a reason for", user: "U2", says: "needs a written reason"},
		{name: "another plan than the one that was shown", user: "U2", reason: burns, digest: planOf(2).Digest(), says: "plan has changed", record: "too-late"},
		{name: "something dangerous without its name", user: "U2", reason: burns, typed: new(string), says: "the name is “Shelf One”"},
		{name: "something dangerous by another name", user: "U2", reason: burns, typed: ptr("shelf one"), says: "Case and spaces count"},
		{name: "something dangerous by its name and more", user: "U2", reason: burns, typed: ptr("Shelf One "), says: "the name is “Shelf One”"},
		{name: "something dangerous by its name and without a reason", user: "U2", typed: ptr("Shelf One"), says: "needs a written reason"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := h.within(t)
			r := plain
			c := request.Click{Verb: request.BreakGlass, Asker: by(test.user), Digest: plain.Digest(), Text: test.reason}
			if test.typed != nil {
				r, c.Digest, c.Name = grave, grave.Digest(), *test.typed
			}
			if test.digest != "" {
				c.Digest = test.digest
			}
			c.Request = r.ID
			answer := h.answer(h.clicked(c))
			says(t, answer, test.says)
			stays(t, r)
			kind := "refused"
			if test.record != "" {
				kind = test.record
			}
			if e := h.last(r.ID, kind); e.Data["tried"] != request.BreakGlass || e.Data["reason"] != answer {
				t.Errorf("the record: %+v", e)
			}
		})
	}
	if len(s.runs()) > 0 {
		t.Errorf("%d runs", len(s.runs()))
	}
	t.Run("something dangerous is, by its name and with a reason", func(t *testing.T) {
		h := h.within(t)
		h.show(grave)
		h.answer(h.clicked(request.Click{Request: grave.ID, Verb: request.BreakGlass, Asker: by("U2"), Digest: grave.Digest(), Text: burns, Name: "Shelf One"}))
		if r := h.ended(grave.ID); r.State != request.Succeeded {
			t.Errorf("it ended as %s: %s", r.State, r.Reason)
		}
	})
	t.Run("what nobody decided about in time", func(t *testing.T) {
		h.forward(73 * time.Hour)
		says(t, h.press("U2", request.BreakGlass, plain, burns), "too late")
		h.wake(plain.ID)
		if r := h.ended(plain.ID); r.State != request.Expired || r.Glass != nil {
			t.Errorf("it ended as %s: %+v", r.State, r.Glass)
		}
		says(t, h.press("U2", request.BreakGlass, plain, burns), "too late", "expired")
		same(t, "how often members are told", 0, h.notices(plain.ID))
	})
}

func ptr(s string) *string { return &s }

func TestNothingIsRunAloneUnlessTheSettingsNameSomebody(t *testing.T) {
	t.Parallel()
	h, s := shelved(t, 1, 1)
	r := h.waiting()
	for _, user := range []string{"U1", "U2", "U4"} {
		says(t, h.press(user, request.BreakGlass, r, burns), "Only those whom the bot's settings name under break_glass", "changed nothing")
	}
	same(t, "the request", r, h.request(r.ID))
	if len(s.runs()) > 0 {
		t.Error("it was run")
	}
}

func TestAPlanThatGrewIsntRunAlone(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(1)}
	h := fireHouse(t, s.operation())
	r := h.waiting()
	h.forward(2 * time.Minute)
	s.put(*planOf(2))
	h.press("U2", request.BreakGlass, r, burns)
	grown := h.until(r.ID, "waiting again", func(r request.Request) bool { return r.State == request.Waiting && len(r.Plan.Steps) == 2 })
	if grown.Missing() != 2 || len(s.runs()) > 0 {
		t.Errorf("of two approvals %d are missing; %d runs", grown.Missing(), len(s.runs()))
	}
	for _, m := range h.told(r.ID) {
		if m.Kind == request.Note && !strings.Contains(m.Body.Text, "approved again") {
			t.Errorf("people read %q", m.Body.Text)
		}
	}
	says(t, h.press("U2", request.BreakGlass, r, burns), "plan has changed")
	same(t, "how often members are told", 2, h.notices(r.ID))
	h.press("U2", request.BreakGlass, grown, "It burns higher.")
	if got := h.ended(r.ID); got.State != request.Succeeded || got.Glass.Reason != "It burns higher." {
		t.Errorf("it ended as %s: %s; %+v", got.State, got.Reason, got.Glass)
	}
	same(t, "what was run", []ops.Plan{*planOf(2), *planOf(2)}, s.runs())
	same(t, "how often members are told in all", 5, h.notices(r.ID))
	same(t, "events", []string{
		"asked", "admitted", "planned", "shown", "break-glass", "told", "stale", "too-late", "shown", "break-glass", "told", "replanned", "started", "step-begun", "step-ended", "step-begun", "step-ended",
	}, h.events(r.ID))
}

func TestWhatWasToBeRunAloneWaitsForAllApprovalsThoughItsPlanIsAgainWhatItWas(t *testing.T) {
	was, other := planOf(2), planOf(1)
	other.Steps[0].Effects = []string{"dust of the attic"}
	r := in(request.Waiting)
	waits(2)(&r)
	for _, h := range []bot.Happening{
		{Kind: "break-glass", Review: emergency},
		{Kind: "stale", Plan: other, Terms: demands(2)},
		{Kind: "approved", Review: review("hubot", other)},
		{Kind: "approved", Review: review("monalisa", other)},
		{Kind: "stale", Plan: was, Terms: demands(2)},
	} {
		next, _, err := bot.After(r, h, noon)
		if err != nil {
			t.Fatal(err)
		}
		r = next
	}
	if r.State != request.Waiting || r.Missing() != 2 {
		t.Errorf("it is %s, and of two approvals %d are missing", r.State, r.Missing())
	}
	r, _, err := bot.After(r, bot.Happening{Kind: "approved", Review: review("monalisa", was)}, noon)
	if err != nil || r.State != request.Waiting || r.Missing() != 1 {
		t.Errorf("after one of two approvals it is %s: %v", r.State, err)
	}
}

func TestWhoHadAnEarlierPlanRunAloneHasApprovedNothing(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(1)}
	h := fireHouse(t, s.operation())
	r := h.waiting()
	h.forward(2 * time.Minute)
	s.put(*planOf(2))
	h.press("U2", request.BreakGlass, r, burns)
	r = h.until(r.ID, "waiting again", func(r request.Request) bool { return r.State == request.Waiting && len(r.Plan.Steps) == 2 })
	h.gh.AddMember(admins, "owl")
	h.links("U7", "owl")
	h.press("U4", request.Approve, r, "")
	h.press("U7", request.Approve, r, "")
	if r = h.ended(r.ID); r.State != request.Succeeded {
		t.Errorf("it ended as %s: %s", r.State, r.Reason)
	}
	same(t, "who a step is told approved", []string{"monalisa", "owl"}, s.approvers)
}

func TestWhoApprovesAndThenHasItRunAloneIsNamedOnce(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(1)}
	h := fireHouse(t, s.operation())
	r := h.waiting()
	h.press("U2", request.Approve, r, "")
	h.press("U2", request.BreakGlass, r, burns)
	if r = h.ended(r.ID); r.State != request.Succeeded {
		t.Errorf("it ended as %s: %s", r.State, r.Reason)
	}
	same(t, "who a step is told approved", []string{"hubot"}, s.approvers)
}

func TestAPlanThatShrankIsRunAlone(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(2)}
	h := fireHouse(t, s.operation())
	r := h.waiting()
	h.forward(2 * time.Minute)
	s.put(*planOf(1))
	h.press("U2", request.BreakGlass, r, burns)
	if r = h.ended(r.ID); r.State != request.Succeeded {
		t.Errorf("it ended as %s: %s", r.State, r.Reason)
	}
	same(t, "what was run", []ops.Plan{*planOf(1)}, s.runs())
	same(t, "who a step is told approved", []string{"hubot"}, s.approvers)
}
