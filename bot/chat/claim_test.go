package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestTheOwnerReadsOfAClaim(t *testing.T) {
	t.Parallel()
	t.Run("of an account that the settings give to somebody", func(t *testing.T) {
		t.Parallel()
		r := registers(t, githubtest.Options{})
		contains(t, "nemo's answer", r.links(r.nemo, "grace"), "settings say that the GitHub login grace is somebody else", "othing was", "#aws-root-account")
		claimed(t, r, r.grace, "grace")
		if n := len(r.cards()); n != 0 {
			t.Errorf("%d announcements:\n%s", n, r.story())
		}
	})
}

// claimed complains unless the owner of a login, and nobody else, has been
// written to that nemo claimed it, and nemo is nobody.
func claimed(t *testing.T, r *registry, owner slacktest.User, login string) {
	t.Helper()
	r.wait("the owner told", func() bool { return len(r.Direct(owner.ID)) == 1 })
	r.quietly()
	contains(t, "the owner's letter", r.Direct(owner.ID)[0].PlainText(), "<@U0NEMO>", "GitHub account "+login, "which is yours", "refused", "#aws-root-account")
	if len(r.Direct(owner.ID)) != 1 || len(r.Direct(r.nemo.ID)) != 0 {
		t.Errorf("letters:\n%s", r.story())
	}
	events := r.recorded("claimed")
	if len(events) != 1 || events[0].By != "slack:"+r.TeamID+"/U0NEMO" || events[0].Data["github"] != login || events[0].Data["owner"] != owner.ID {
		t.Errorf("recorded are the claims %+v", events)
	}
	for _, e := range r.recorded("told") {
		if e.Data["message"] == "letter" && (e.Data["to"] != "slack:"+r.TeamID+"/"+owner.ID || e.Data["ts"] != r.Direct(owner.ID)[0].TS) {
			t.Errorf("recorded as told is %+v", e)
		}
	}
	contains(t, "who nemo is", r.asksAbout(r.nemo, "whoami"), "don't know which GitHub login")
	r.fine()
}

func TestALetterAndAnAnnouncementAreSentOnce(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	r.Fail("chat.postMessage", slacktest.Fault{CutAfter: true})
	r.proves(r.olga, "olga")
	r.wait("announced", func() bool { return len(r.recorded("told")) == 1 })
	r.Fail("chat.postMessage", slacktest.Fault{CutAfter: true})
	contains(t, "nemo's answer", r.proves(r.nemo, "olga"), "before another member confirms it", "ada, grace or hedy")
	r.wait("all told", func() bool { return len(r.recorded("told")) == 4 })
	r.quietly()
	if len(r.cards()) != 2 || len(r.Direct(r.olga.ID)) != 1 {
		t.Errorf("%d announcements, %d letters", len(r.cards()), len(r.Direct(r.olga.ID)))
	}
	contains(t, "olga's letter", r.Direct(r.olga.ID)[0].PlainText(), "<@U0NEMO>", "your link to it has ended")
	contains(t, "what is told of olga's link", r.cards()[0].PlainText(), "<@U0OLGA> was linked", "proved anew")
	contains(t, "who olga is", r.asksAbout(r.olga, "whoami"), "don't know which GitHub login")
	r.fine()
}

func TestNobodyIsLinkedUnseen(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	code, _ := r.asksForACode(r.nemo)
	r.gh.Fail("GET /orgs/*/teams/*/memberships", githubtest.Fault{Status: 502, Times: 3})
	r.authorizes(code, "nemo")
	contains(t, "nemo's answer", r.hears(r.nemo, 2), "can't check whether nemo is a member", "othing was changed")
	if n := len(r.recorded("linked")); n != 0 {
		t.Errorf("%d links", n)
	}
	r.links(r.nemo, "nemo")
	r.wait("announced", func() bool { return len(r.cards()) == 1 })
}

func TestOneOfAsManyAsMayLinkMayAskTwice(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	var crowd []slacktest.User
	for i := range 101 {
		who := r.AddUser(slacktest.User{ID: fmt.Sprintf("U0CROWD%03d", i), RealName: fmt.Sprintf("Crowd %d", i)})
		crowd = append(crowd, who)
		r.commands(who, r.general, "/rootbot", "link")
	}
	told := func(what string) (n int) {
		for _, who := range crowd {
			for _, text := range r.told(who) {
				if strings.Contains(text, what) {
					n++
				}
			}
		}
		return n
	}
	r.wait("a hundred codes", func() bool { return told("good until") == 100 && told("Too many people") == 1 })
	for i, who := range crowd {
		if strings.Contains(r.told(who)[0], "Too many people") {
			crowd = append(crowd[:i], crowd[i+1:]...)
			break
		}
	}
	for i := range 2 {
		r.commands(crowd[0], r.general, "/rootbot", "link")
		contains(t, "the answers", strings.Join([]string{r.hears(crowd[0], 2*i+2), r.hears(crowd[0], 2*i+3)}, "\n"), "newer code", "good until")
	}
	r.gh.Close()
}

func TestADatabaseThatFailsAtALink(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"link", "unlink"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := registers(t, githubtest.Options{})
			if err := r.desk.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.desk.Store.Close()
			r.commands(r.nemo, r.general, "/rootbot", what)
			contains(t, "the answer", r.hears(r.nemo, 1), "database", "othing was changed")
		})
	}
}
