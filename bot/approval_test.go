package bot_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestWhatAnotherMemberApprovesIsRun(t *testing.T) {
	t.Parallel()
	h, s := shelved(t, 1, 1)
	r := h.waiting()
	if got := h.press("U2", request.Approve, r, ""); got != "" {
		t.Errorf("who approved is told %q", got)
	}
	r = h.ended(r.ID)
	if r.State != request.Succeeded || len(s.runs()) != 1 {
		t.Errorf("it ended as %s (%s) after %d runs", r.State, r.Reason, len(s.runs()))
	}
	same(t, "who approved", []request.Review{{By: "hubot", Account: h.gh.ID("hubot"), User: "U2", At: noon, Digest: r.Plan.Digest()}}, r.Reviews)
	same(t, "who a step is told approved", []string{"hubot"}, s.approvers)
	same(t, "events", []string{"asked", "admitted", "planned", "shown", "approved", "replanned", "started", "step-begun", "step-ended"}, h.events(r.ID))
	e := h.last(r.ID, "approved")
	if e.By != "hubot" || e.Data["digest"] != r.Plan.Digest() {
		t.Errorf("the record of the approval: %+v", e)
	}
	direct := 0
	for _, m := range h.told(r.ID) {
		if m.Kind == request.Direct {
			direct++
		}
	}
	if direct != 1 {
		t.Errorf("the asker is told %d times how it ended", direct)
	}
}

func TestAClickThatMayNotApprove(t *testing.T) {
	t.Parallel()
	common, commons := shelved(t, 1, 1) // for all that leave the world as it is
	for _, test := range []struct {
		name  string
		need  int
		first string // who has approved before
		user  string
		world func(*house)
		edit  func(*request.Click)
		says  []string
		by    string
	}{
		{name: "the asker's own", user: "U1", says: []string{"You asked for this, so somebody else must approve it"}, by: "octocat"},
		{name: "the asker's own, with another account and another case", user: "U6", says: []string{"You asked for this, so somebody else must approve it"}, by: "OctoCat"},
		{name: "the asker's own, with an account that is another login by now", user: "U1", world: func(h *house) { h.Team.Identities["U1"] = "monalisa" }, says: []string{"You asked for this"}, by: "monalisa"},
		{name: "a second one of one person", need: 2, first: "U2", user: "U2", says: []string{"one person counts once"}, by: "hubot"},
		{name: "a second one of one person, with another account", need: 2, first: "U2", user: "U5", says: []string{"one person counts once"}, by: "HUBOT"},
		{name: "a stranger's", user: "U99", says: []string{"don't know which GitHub login", "Your click changed nothing"}, by: "slack:T1/U99"},
		{name: "one of somebody who isn't in the team", user: "U3", says: []string{"mallory", "not a member"}, by: "mallory"},
		{name: "one of somebody who left the team", user: "U2", world: func(h *house) { h.gh.RemoveMember(admins, "hubot") }, says: []string{"hubot", "not a member"}, by: "hubot"},
		{name: "one of somebody whom GitHub's trouble hides", user: "U2", world: func(h *house) { h.gh.Fail("", githubtest.Fault{Status: 503}) }, says: []string{"can't check", "503"}, by: "hubot"},
		{name: "one from another workspace", user: "U2", edit: func(c *request.Click) { c.Asker.Workspace = "T2" }, says: []string{"not of the workspace"}, by: "slack:T2/U2"},
		{name: "one from no workspace", user: "U2", edit: func(c *request.Click) { c.Asker.Workspace = "" }, says: []string{"not of the workspace"}, by: "slack:U2"},
		{name: "one of an edited digest", user: "U2", edit: func(c *request.Click) { c.Digest = strings.Repeat("0", 64) }, says: []string{"plan has changed", "newest plan"}, by: "hubot"},
		{name: "one without a digest", user: "U2", edit: func(c *request.Click) { c.Digest = "" }, says: []string{"plan has changed"}, by: "hubot"},
		{name: "one of a part of the digest", user: "U2", edit: func(c *request.Click) { c.Digest = c.Digest[:12] }, says: []string{"plan has changed"}, by: "hubot"},
	} {
		t.Run(test.name+" doesn't count", func(t *testing.T) {
			h, s := common.within(t), commons
			if test.world != nil || test.need > 1 {
				t.Parallel()
				h, s = shelved(t, max(test.need, 1), 1)
			}
			r := h.waiting()
			if test.first != "" {
				h.press(test.first, request.Approve, r, "")
			}
			before := h.request(r.ID)
			if test.world != nil {
				test.world(h)
			}
			c := request.Click{Request: r.ID, Verb: request.Approve, Asker: by(test.user), Digest: r.Plan.Digest()}
			if test.edit != nil {
				test.edit(&c)
			}
			answer := h.answer(h.clicked(c))
			says(t, answer, test.says...)
			same(t, "the request", before, h.request(r.ID))
			if len(s.runs()) > 0 {
				t.Error("it was run")
			}
			e := h.last(r.ID, "refused", "too-late")
			if e.By != test.by || e.Data["tried"] != request.Approve || e.Data["reason"] != answer || !e.At.Equal(noon) {
				t.Errorf("the record: %+v; want who tried what, and why it was refused", e)
			}
		})
	}
}

func TestTwoPeopleMustApprove(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		need int
		plan ops.Rule
		why  string
	}{
		{"because the terms say so", 2, ops.Rule{}, ""},
		{"because the plan says so", 1, ops.Rule{Count: 2, Why: "It is a lot."}, "It is a lot."},
		{"because the plan says so where nobody need have", 0, ops.Rule{Count: 2, Why: "It is a lot."}, "It is a lot."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, s := shelved(t, test.need, 1)
			p := *planOf(1)
			p.Approval = test.plan
			s.put(p)
			r := h.waiting()
			if r.Need != 2 || r.Why != test.why {
				t.Errorf("it needs %d: %q", r.Need, r.Why)
			}
			h.press("U2", request.Approve, r, "")
			if got := h.request(r.ID); got.State != request.Waiting || len(got.Reviews) != 1 || len(s.runs()) > 0 {
				t.Fatalf("after one approval it is %s", got.State)
			}
			h.press("U4", request.Approve, r, "")
			if got := h.ended(r.ID); got.State != request.Succeeded {
				t.Errorf("it ended as %s: %s", got.State, got.Reason)
			}
			same(t, "who a step is told approved", []string{"hubot", "monalisa"}, s.approvers)
		})
	}
}

func TestADangerousPlanIsApprovedByTypingItsTarget(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(1)}
	s.plan.Target = "Shelf A"
	operation := s.operation()
	operation.Dangerous = true
	h := hall(t, 1, operation)
	r := h.waiting()
	for _, typed := range []string{"", "shelf a", "Shelf A ", "Shelf"} {
		says(t, h.press("U2", request.Approve, r, typed), "the name is “Shelf A”", "wasn't approved")
	}
	if got := h.request(r.ID); got.State != request.Waiting || len(s.runs()) > 0 {
		t.Fatalf("it is %s", got.State)
	}
	h.press("U2", request.Approve, r, "Shelf A")
	if got := h.ended(r.ID); got.State != request.Succeeded {
		t.Errorf("it ended as %s: %s", got.State, got.Reason)
	}
}

// What is typed is compared as it was typed, whatever it looks like.
func TestANameThatLooksLikeASecretCanBeTyped(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Basic Analytics Platform", "bearer certificates no longer used", "token=Platform", "api-key: rotation2026"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{plan: *planOf(1)}
			s.plan.Target = name
			operation := s.operation()
			operation.Dangerous = true
			h := hall(t, 1, operation)
			r := h.waiting()
			h.press("U2", request.Approve, r, name)
			if got := h.ended(r.ID); got.State != request.Succeeded {
				t.Errorf("it ended as %s: %s", got.State, got.Reason)
			}
		})
	}
}

func TestAMemberRejectsWithAReason(t *testing.T) {
	t.Parallel()
	h, s := shelved(t, 1, 1)
	r := h.waiting()
	old := r
	old.Plan = planOf(2)
	says(t, h.press("U2", request.Reject, old, "No."), "plan has changed")
	says(t, h.press("U3", request.Reject, r, "No."), "not a member")
	says(t, h.press("U2", request.Reject, r, ""), "needs a reason")
	if got := h.press("U2", request.Reject, r, "Not on a Friday."); got != "" {
		t.Errorf("who rejected is told %q", got)
	}
	r = h.ended(r.ID)
	if r.State != request.Refused || len(s.runs()) > 0 {
		t.Errorf("it ended as %s", r.State)
	}
	says(t, r.Reason, "hubot", "Not on a Friday.")
	same(t, "who decided", &request.Review{By: "hubot", Account: h.gh.ID("hubot"), User: "U2", At: noon, Digest: r.Plan.Digest(), Reason: "Not on a Friday."}, r.Decided)
	e := h.last(r.ID, "rejected")
	if e.By != "hubot" || e.Data["reason"] != "Not on a Friday." {
		t.Errorf("the record: %+v", e)
	}
	says(t, h.press("U4", request.Approve, r, ""), "too late", "refused", "hubot rejected it", "2 Mar 12:00:00 UTC", "changed nothing")
	same(t, "what became of it", r, h.request(r.ID))
}

func TestWithdrawing(t *testing.T) {
	t.Parallel()
	common, commons := shelved(t, 1, 1) // for all that leave the world as it is
	for _, test := range []struct {
		name    string
		click   request.Asker
		reason  string
		world   func(*house)
		by      string // empty: refused
		because string // behind that they withdrew it
		says    string
	}{
		{name: "by who asked", click: by("U1"), by: "octocat"},
		{name: "by who asked and isn't in the team any more", click: by("U1"), world: func(h *house) { h.gh.RemoveMember(admins, "octocat") }, by: "octocat"},
		{name: "by who asked while GitHub is away", click: by("U1"), world: func(h *house) { h.gh.Close() }, by: "octocat"},
		{name: "by another member, with a reason", click: by("U4"), reason: "Wrong shelf.", by: "monalisa", because: ": Wrong shelf"},
		{name: "by another member, without one", click: by("U4"), says: "someone else's request, so it needs a reason"},
		{name: "by a stranger", click: by("U99"), says: "don't know which GitHub login"},
		{name: "by somebody who isn't in the team", click: by("U3"), says: "not a member"},
		{name: "by somebody with the asker's ID in another workspace", click: request.Asker{Front: "slack", Workspace: "T2", User: "U1"}, says: "not of the workspace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, s := common.within(t), commons
			if test.world != nil {
				t.Parallel()
				h, s = shelved(t, 1, 1)
			}
			r := h.reach(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U1")}).ID, request.Waiting)
			if test.world != nil {
				test.world(h)
			}
			answer := h.answer(h.clicked(request.Click{Request: r.ID, Verb: request.Withdraw, Asker: test.click, Digest: r.Plan.Digest(), Text: test.reason}))
			got := h.request(r.ID)
			if test.by == "" {
				says(t, answer, test.says)
				same(t, "the request", r, got)
				return
			}
			if got.State != request.Withdrawn || answer != "" || got.Reason != test.by+" withdrew it"+test.because+". Nothing was changed." || len(s.runs()) > 0 {
				t.Errorf("it is %s: %s; the answer is %q", got.State, got.Reason, answer)
			}
			same(t, "who is recorded to have done it", test.by, h.last(r.ID, "withdrawn").By)
		})
	}
	t.Run("while it is being planned", func(t *testing.T) {
		t.Parallel()
		looking, goOn := make(chan bool), make(chan bool)
		s := &shelf{plan: *planOf(1)}
		operation := s.operation()
		look := operation.Plan
		operation.Plan = func(ctx context.Context, r ops.Request, p ops.Progress) (ops.Plan, error) {
			close(looking)
			<-goOn
			return look(ctx, r, p)
		}
		h := hall(t, 0, operation)
		r := h.ask()
		<-looking
		h.press("U1", request.Withdraw, r, "")
		r = h.request(r.ID)
		close(goOn)
		h.end()
		h.begin(operation)
		if got := h.request(r.ID); r.State != request.Withdrawn || len(s.runs()) > 0 {
			t.Errorf("it is %s", got.State)
		} else {
			same(t, "what became of it", r, got)
		}
	})
}

func TestMembershipThatIsLostBetweenApprovalAndRunStopsTheRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		world func(*house)
		says  string
	}{
		{"of who approved first", func(h *house) { h.gh.RemoveMember(admins, "hubot") }, "hubot is not a member"},
		{"of who asked", func(h *house) { h.gh.RemoveMember(admins, "octocat") }, "octocat is not a member"},
		{"of who asked, whose account is another person's by now", func(h *house) { h.Team.Identities["U1"] = "HUBOT" }, "was octocat on GitHub then"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, s := shelved(t, 2, 1)
			r := h.waiting()
			h.press("U2", request.Approve, r, "")
			test.world(h)
			h.press("U4", request.Approve, r, "")
			r = h.ended(r.ID)
			if r.State != request.Refused || len(s.runs()) > 0 {
				t.Errorf("it ended as %s after %d runs", r.State, len(s.runs()))
			}
			says(t, r.Reason, test.says)
			same(t, "the last event", "refused", h.last(r.ID, h.events(r.ID)...).Kind)
		})
	}
}

func TestNobodyDecidesInTime(t *testing.T) {
	t.Parallel()
	h, s := shelved(t, 1, 1)
	r := h.waiting()
	h.stand(noon.Add(72*time.Hour - time.Second))
	h.wake(r.ID)
	h.until(r.ID, "reminded", func(r request.Request) bool { return r.Reminders > 0 })
	h.stand(noon.Add(72 * time.Hour))
	h.wake(r.ID)
	r = h.ended(r.ID)
	if r.State != request.Expired || len(s.runs()) > 0 {
		t.Errorf("it ended as %s", r.State)
	}
	says(t, r.Reason, "5 Mar 12:00 UTC", "Nothing was changed")
	says(t, h.press("U2", request.Approve, r, ""), "too late", "expired", "5 Mar 12:00:00 UTC", "Nothing was changed")
	same(t, "what became of it", r, h.request(r.ID))
}

// noon is on a Monday; the office closes at 18:00, when 6 h of work have passed.
func TestRemindersComeInWorkingHoursAndBackOff(t *testing.T) {
	t.Parallel()
	h, _ := shelved(t, 1, 1)
	r := h.waiting()
	for i, at := range []time.Time{
		time.Date(2026, 3, 2, 13, 0, 0, 0, time.UTC), // 1 h
		time.Date(2026, 3, 2, 17, 0, 0, 0, time.UTC), // 4 h more
		time.Date(2026, 3, 4, 11, 0, 0, 0, time.UTC), // 12 h more: 1 + 9 + 2
	} {
		if !r.RemindAt.Equal(at) {
			t.Fatalf("reminder %d is due at %v, want %v", i+1, r.RemindAt, at)
		}
		h.stand(at)
		h.wake(r.ID)
		r = h.until(r.ID, "reminded", func(r request.Request) bool { return r.Reminders == i+1 })
	}
	// 24 h more would be 7 + 9 + 8 h, on Friday at 17:00; it expires before.
	if want := time.Date(2026, 3, 6, 17, 0, 0, 0, time.UTC); !r.RemindAt.Equal(want) {
		t.Errorf("the last reminder is due at %v, want %v", r.RemindAt, want)
	}
	var notes []string
	for _, m := range h.told(r.ID) {
		if m.Kind == request.Note {
			notes = append(notes, m.Body.Text)
		}
	}
	if len(notes) != 3 {
		t.Errorf("the notes: %q", notes)
	}
	says(t, notes[0], "1 approval", "5 Mar 12:00 UTC", "tidy up")
}
