package chat_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// A method that Slack refuses says nothing of the others: what people decide by reaches
// them, whatever the workspace lets the bot not do.
func TestWhatIsDecidedStandsThoughAMethodIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, code string
		keys               int
	}{
		{"files aren't allowed to the bot", "files.getUploadURLExternal", "access_denied", 100},
		{"the token may not send files", "files.getUploadURLExternal", "not_allowed_token_type", 100},
		{"a file may not be shared in the channel", "files.completeUploadExternal", "restricted_action", 100},
		{"a file's channel isn't the bot's", "files.completeUploadExternal", "not_in_channel", 100},
		{"messages may not be changed", "chat.update", "restricted_action", 1},
		{"a message that is changed is in no channel", "chat.update", "channel_not_found", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := build(t, slacktest.Options{})
			o.Refuse(test.method, test.code, nil)
			o.meet(&crew{keys: keys(test.keys)})
			o.proposes(o.ada, ann)
			o.waitFor("a choice", 30*time.Second, func() bool { return o.decidable(o.place) })
			if told := o.Direct(o.ada.ID); len(told) > 0 {
				t.Errorf("ada is told %q", told[0].PlainText())
			}
		})
	}
	t.Run("what may have been posted can't be looked for", func(t *testing.T) {
		t.Parallel()
		o := build(t, slacktest.Options{})
		o.Refuse("conversations.history", "no_permission", nil)
		o.Refuse("conversations.replies", "not_in_channel", nil)
		o.Fail("chat.postMessage", slacktest.Fault{Error: "internal_error"})
		o.meet(&crew{})
		o.proposes(o.ada, ann)
		o.waitFor("a choice", 30*time.Second, func() bool { return o.decidable(o.place) })
	})
	t.Run("the log channel takes nothing", func(t *testing.T) {
		t.Parallel()
		o := build(t, slacktest.Options{})
		o.Refuse("chat.postMessage", "is_archived", func(args map[string]string) bool { return args["channel"] == o.home.ID })
		o.meet(&crew{})
		o.choice(o.proposes(o.ada, ann), ann)
	})
}

// decidable tells whether the buttons of a decision stand in a thread of a channel.
func (o *office) decidable(in slacktest.Channel) bool {
	return slices.ContainsFunc(o.Messages(in.ID), func(card slacktest.Message) bool {
		return slices.ContainsFunc(o.under(card), func(m slacktest.Message) bool { return len(m.Buttons()) == 3 })
	})
}

// Slack takes answers by response_url at another address than everything else, which may
// be barred.
func TestAnswersReachPeopleWithoutTheirResponseURL(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	o.Fail("response_url", times(20, slacktest.Fault{Cut: true})...)
	o.commands(o.ada, o.home, "/rootbot", "whoami")
	o.waitFor("an answer", 30*time.Second, func() bool { return len(o.told(o.ada)) == 1 })
	contains(t, "the answer", o.told(o.ada)[0], "ada")
}
