package chat_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
)

// A channel that takes no message loses none: the members are told, and what was
// to be said follows.
func TestWhatAChannelDoesntTakeWaitsAndTheMembersAreTold(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	o.Kick(o.home.ID, o.BotUserID)
	o.types(o.ada, o.general, "")
	members := []slacktest.User{o.ada, o.grace, o.hedy}
	letters := func(who slacktest.User) (texts []string) {
		for _, m := range o.Direct(who.ID) {
			if strings.Contains(m.PlainText(), "can't post in") {
				texts = append(texts, m.PlainText())
			}
		}
		return texts
	}
	o.wait("every member told", func() bool {
		for _, who := range members {
			if len(letters(who)) == 0 {
				return false
			}
		}
		return true
	})
	if why := o.chat.Unreachable(); len(why) != 1 || !strings.Contains(why[0], "#aws-root-account") || !strings.Contains(why[0], "not in it") {
		t.Errorf("out of reach are %q", why)
	}
	if list := letters(o.mallory); len(list) > 0 {
		t.Errorf("who isn't a member is told %q", list)
	}
	o.Invite(o.home.ID, o.BotUserID)
	o.waitFor("a card that says Done", 40*time.Second, func() bool {
		return len(o.cards()) > 0 && strings.Contains(o.cards()[0].PlainText(), "Done")
	})
	o.wait("nothing out of reach", func() bool { return len(o.chat.Unreachable()) == 0 })
	o.quietly()
	same(t, "the thread", []string{"Plan", "Log", "Result"}, o.replies(o.cards()[0]))
	for _, who := range members {
		if list := letters(who); len(list) != 1 || !strings.Contains(list[0], "nothing is lost") {
			t.Errorf("%s is told %q", who.RealName, list)
		}
	}
}

// While the database hangs, whoever asks is told in time that nothing was done,
// and nothing is.
func TestWhoAsksWhileTheDatabaseHangsIsToldInTime(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	o.types(o.ada, o.home, "")
	o.card("Done")
	o.quietly()
	before := o.requests()[0].ID
	held, release := make(chan bool), make(chan bool)
	done := make(chan error)
	go func() {
		_, err := o.desk.Store.Update(context.Background(), before, func(*request.Request) (request.Change, error) {
			close(held)
			<-release
			return request.Change{}, nil
		})
		done <- err
	}()
	<-held
	begun := time.Now()
	said := o.types(o.grace, o.home, "")
	if took := time.Since(begun); took > 2900*time.Millisecond || !strings.Contains(said, "othing was changed") {
		t.Errorf("after %v grace is told %q", took, said)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	o.types(o.ada, o.home, "")
	o.wait("the next one done", func() bool { return len(o.cards()) == 2 && strings.Contains(o.cards()[1].PlainText(), "Done") })
	o.quietly()
	for _, r := range o.requests() {
		if r.Asker.User == o.grace.ID {
			t.Errorf("stored is %+v", r)
		}
	}
	o.fine()
}

// A commit that comes after nobody waits for it any more is taken back.
func TestWhatWasStoredTooLateIsTakenBack(t *testing.T) {
	t.Parallel()
	t.Run("a request that nobody has looked at", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		r := o.of(request.Asked)
		r.AdmittedAt, r.By = time.Time{}, ""
		r = o.stored(o.desk.Store, r)
		o.desk.VoidRequest(t.Context(), r.ID)
		if now, err := o.desk.Store.Request(t.Context(), r.ID); err != nil || now.State != request.Withdrawn || !strings.Contains(now.Reason, "stored too late") {
			t.Errorf("it is %s, %q, %v", now.State, now.Reason, err)
		}
		o.quietly()
		if n := len(o.cards()) + len(o.told(o.ada)); n > 0 {
			t.Errorf("%d messages tell of it:\n%s", n, o.story())
		}
	})
	t.Run("a request that was planned already", func(t *testing.T) {
		t.Parallel()
		o := build(t, slacktest.Options{})
		o.meet(new(crew))
		o.proposes(o.ada, ann)
		r := o.request()
		o.desk.VoidRequest(t.Context(), r.ID)
		o.wait("the card to say so", func() bool { return strings.Contains(o.Messages(o.place.ID)[0].PlainText(), "stored too late") })
	})
	t.Run("a request that isn't there", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		o.desk.VoidRequest(t.Context(), "01970000-0000-7000-8000-00000000cafe")
	})
	t.Run("a click", func(t *testing.T) {
		t.Parallel()
		o := build(t, slacktest.Options{})
		o.meet(new(crew))
		o.proposes(o.ada, ann)
		r := o.request()
		o.leave() // nobody answers clicks now
		s, err := store.Open(t.Context(), o.address, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		click := request.Click{Request: r.ID, Verb: request.Approve, Origin: "grace's click", Digest: r.Digest(), Asker: request.Asker{Front: "slack", Workspace: o.TeamID, User: o.grace.ID}}
		if err := s.InsertClick(t.Context(), &click); err != nil {
			t.Fatal(err)
		}
		o.desk.Store = s
		o.desk.VoidClick(t.Context(), click)
		if now, err := s.Click(t.Context(), click.ID); err != nil || !now.Done {
			t.Errorf("the click is to be answered: %+v, %v", now, err)
		}
		if err := s.InsertClick(t.Context(), &click); !errors.Is(err, store.ErrTaken) {
			t.Errorf("the same click once more: %v", err)
		}
	})
}

// What Slack says about one call counts for all, also of other channels.
func TestNobodyCallsWhatSlackAskedToWaitFor(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work), new(crew).letGo())
	o.Fail("chat.postMessage", slacktest.Fault{RetryAfter: 3 * time.Second})
	o.Fail("users.info", slacktest.Fault{RetryAfter: time.Second})
	o.types(o.ada, o.home, "")
	o.types(o.grace, o.general, "")
	o.types(o.mallory, o.lobby, "")
	o.card("Done")
	o.quietly()
	o.fine() // who calls before Retry-After has passed is found fault with
}
