package chaos_test

import (
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

// operation is something that people do with the bot from its beginning to its
// end.
type operation struct {
	name    string
	options worldtest.Options
	play    func(*scene)
}

var operations = []operation{
	{"scim-sync", worldtest.Options{Size: 24, Teams: 10}, scimSync},
	{"remove-user", worldtest.Options{Size: 24, Teams: 10, Grace: -1}, removeUser},
}

func scimSync(s *scene) {
	s.does("type /scim-sync", func() (slacktest.Ack, error) {
		return s.Slack.Command(s.Context(), s.Member.ID, s.Log.ID, "/scim-sync", s.Joiner)
	})
	s.until("the result", s.Slack.Wait, func() bool {
		for _, m := range s.Slack.Messages(s.Log.ID) {
			if len(results(s, m)) > 0 && ended(m) {
				return true
			}
		}
		return false
	})
}

func removeUser(s *scene) {
	// A form that the bot died over is not shown any more.
	asked := false
	for !asked {
		s.does("type /aws-remove-user", func() (slacktest.Ack, error) {
			return s.Slack.Command(s.Context(), s.Member.ID, s.Desk.ID, "/aws-remove-user", worldtest.Leaver)
		})
		shown := func() bool { return len(s.Slack.Views(s.Member.ID)) > 0 }
		s.until("the form", s.Slack.Wait, func() bool { return shown() || s.dead() != nil && !s.gone })
		if !shown() {
			s.revive()
			continue
		}
		ack := s.does("submit the form", func() (slacktest.Ack, error) {
			return s.Slack.Submit(s.Context(), s.Member.ID, s.Slack.Views(s.Member.ID)[0].ID, map[string]slacktest.Value{
				"reason": slacktest.Text("has left"), "confirmed": slacktest.Pick("yes"),
			})
		})
		if len(ack.Errors) > 0 {
			s.Fatalf("the form is refused: %v", ack.Errors)
		}
		asked = true
	}
	var ask slacktest.Message
	s.until("the buttons", s.Slack.Wait, func() bool {
		for _, card := range s.Slack.Messages(s.Desk.ID) {
			for _, m := range s.Slack.Thread(s.Desk.ID, card.TS) {
				if len(m.Buttons()) == 3 {
					ask = m
					return true
				}
			}
		}
		return false
	})
	refused := func() (n int) {
		for _, m := range s.Slack.Ephemerals(s.Second.ID) {
			n += strings.Count(m.PlainText(), tryAgain)
		}
		return n
	}
	for known := -1; known < refused(); {
		known = refused()
		s.does("click Approve", func() (slacktest.Ack, error) {
			return s.Slack.Click(s.Context(), s.Second.ID, s.Desk.ID, ask.TS, "approve")
		})
		s.until("the approval", s.Slack.Wait, func() bool {
			return refused() > known || slices.ContainsFunc(s.Slack.Thread(s.Desk.ID, ask.ThreadTS), func(m slacktest.Message) bool {
				return m.TS == ask.TS && len(m.Buttons()) < 3
			})
		})
	}
	// Who merges sooner isn't called to it, and then less is said.
	s.until("the call to merge", s.Slack.Wait, func() bool {
		return slices.ContainsFunc(s.Slack.Thread(s.Desk.ID, ask.ThreadTS), func(m slacktest.Message) bool {
			return strings.Contains(m.PlainText(), "Please merge")
		})
	})
	if err := s.GitHub.Merge(worldtest.UsersRepo, s.GitHub.Pulls(worldtest.UsersRepo)[0].Number, "badger"); err != nil {
		s.Fatal(err)
	}
	s.until("the result", s.Slack.Wait, func() bool {
		for _, m := range s.Slack.Messages(s.Log.ID) {
			if len(results(s, m)) > 0 && ended(m) && len(s.Slack.Direct(s.Member.ID)) > 0 {
				return true
			}
		}
		return false
	})
}

// ended says whether a card tells of the end.
func ended(card slacktest.Message) bool {
	text := card.PlainText()
	return strings.Contains(text, "*Done*") || strings.Contains(text, "*Not known*") || strings.Contains(text, "is removed")
}

// results are the messages with a result in the thread of a card.
func results(s *scene, card slacktest.Message) []slacktest.Message {
	var all []slacktest.Message
	for _, m := range s.Slack.Thread(card.Channel, card.TS) {
		if strings.HasPrefix(m.PlainText(), "*Result*") {
			all = append(all, m)
		}
	}
	return all
}
