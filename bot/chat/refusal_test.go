package chat_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
)

// documented are Slack's answers that its documentation names, by the method.
// https://docs.slack.dev/reference/methods
var documented = map[string]string{
	"any": `access_denied accesslimited account_inactive deprecated_endpoint ekm_access_denied enterprise_is_restricted fatal_error internal_error
		invalid_arg_name invalid_arguments invalid_array_arg invalid_auth invalid_charset invalid_form_data invalid_post_type method_deprecated missing_post_type
		missing_scope no_permission not_allowed_token_type not_authed org_login_required ratelimited request_timeout service_unavailable team_access_not_granted
		team_added_to_org token_expired token_revoked two_factor_setup_required`,
	"apps.connections.open": `forbidden_team insecure_request missing_args`,
	"chat.postMessage": `as_user_not_supported attachment_payload_limit_exceeded cannot_reply_to_message channel_not_found draft_already_deleted draft_already_sent
		draft_has_conflict draft_not_found duplicate_channel_not_found duplicate_message_not_found invalid_blocks invalid_blocks_format invalid_metadata_format
		invalid_metadata_schema is_archived markdown_text_conflict message_limit_exceeded messages_tab_disabled metadata_must_be_sent_from_app metadata_too_large
		missing_file_data msg_blocks_too_long msg_too_long no_text not_in_channel rate_limited restricted_action restricted_action_non_threadable_channel
		restricted_action_read_only_channel restricted_action_thread_locked restricted_action_thread_only_channel slack_connect_canvas_sharing_blocked
		slack_connect_file_link_sharing_blocked slack_connect_lists_sharing_blocked team_not_found too_many_attachments too_many_contact_cards`,
	"chat.postEphemeral": `invalid_attachments user_not_in_channel`,
	"chat.update": `block_mismatch blocked_file_type cant_broadcast_message cant_update_message edit_window_closed external_channel_migrating file_deleted file_is_deleted
		file_not_found file_share_limit_reached is_inactive max_file_sharing_exceeded message_not_found no_dual_broadcast_content_update posting_to_channel_denied
		slack_connect_blocked_file_type slack_connect_clip_sharing_blocked slack_connect_file_upload_sharing_blocked streaming_state_conflict unable_to_share_files update_failed`,
	"files.getUploadURLExternal": `alt_txt_too_large file_type_not_allowed file_upload_size_restricted file_uploads_disabled file_uploads_except_images_disabled
		missing_argument snippet_too_large storage_limit_reached unknown_snippet_type unknown_subtype`,
	"files.completeUploadExternal": `channels_limit_exceeded file_update_failed invalid_channel posting_to_general_channel_denied`,
	"conversations.*": `channel_is_limited_access fetch_members_failed invalid_user_combination method_not_supported_for_channel_type not_enough_users thread_not_found
		too_many_users user_disabled user_not_found user_not_visible users_list_not_supplied`,
	"views.open": `duplicate_external_id exchanged_trigger_id expired_trigger_id invalid_trigger_id view_too_large`,
}

func TestEveryDocumentedAnswerIsKnown(t *testing.T) {
	t.Parallel()
	for method, codes := range documented {
		for _, code := range strings.Fields(codes) {
			if !chat.Known(code) {
				t.Errorf("%s: nobody knows what becomes of %s", method, code)
			}
		}
	}
	for _, test := range []struct {
		code  string
		tries int // from which on it is told in another way; below 0: never
	}{
		{"invalid_blocks", 0},
		{"file_uploads_disabled", 0},
		{"restricted_action_non_threadable_channel", 0},
		{"user_disabled", 0},
		{"quota_of_quarks_exceeded", 3},
		{"internal_error", 9},
		{"is_archived", -1},
		{"restricted_action", -1},
		{"token_revoked", -1},
		{"message_not_found", -1},
	} {
		for tries := range 40 {
			if want := test.tries >= 0 && tries >= test.tries; chat.Unwilling(test.code, tries) != want {
				t.Errorf("%s after %d tries: %t", test.code, tries, !want)
				break
			}
		}
	}
}

func TestAFileThatSlackDoesntTakeIsToldAsText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, code, says string }{
		{"files.getUploadURLExternal", "file_uploads_disabled", "the workspace has switched files off"},
		{"files.getUploadURLExternal", "storage_limit_reached", "the workspace's storage is full"},
		{"files.getUploadURLExternal", "missing_scope", "lacks a scope"},
		{"files.completeUploadExternal", "file_type_not_allowed", "doesn't take its type"},
		{"files.completeUploadExternal", "posting_to_channel_denied", "may not share files in this channel"},
		{"files.completeUploadExternal", "quota_of_quarks_exceeded", "Slack refuses it (quota_of_quarks_exceeded)"},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			o := build(t, slacktest.Options{})
			o.Refuse(test.method, test.code, nil)
			c := &crew{keys: keys(200)}
			o.meet(c)
			card := o.proposes(o.ada, ann)
			o.waitFor("what is to be decided", 20*time.Second, func() bool {
				return slices.ContainsFunc(o.under(card), func(m slacktest.Message) bool { return len(m.Buttons()) > 0 })
			})
			thread := o.under(card)
			var read []string
			for _, m := range thread[1 : len(thread)-1] {
				read = append(read, m.PlainText())
			}
			contains(t, "the thread", strings.Join(read, "\n"), append(slices.Clone(c.keys), "Slack doesn't take the file “The whole plan”: ", test.says)...)
			if n := len(o.recorded("shown")); n == 0 || !strings.Contains(thread[0].PlainText(), "Plan") {
				t.Errorf("%d plans are recorded as shown; the thread begins\n%s", n, thread[0].PlainText())
			}
		})
	}
}

// What nobody knows is tried as it is, then told in another way, and what follows goes on.
func TestAnAnswerThatNobodyKnows(t *testing.T) {
	t.Parallel()
	t.Run("passes", func(t *testing.T) {
		t.Parallel()
		o, s := outbox(t)
		o.stored(s, o.of(request.Failed), request.Card)
		o.Fail("chat.postMessage", times(2, slacktest.Fault{Error: "quota_of_quarks_exceeded"})...)
		if !deliver(t, o, s, 20*time.Second, emptied(s)) {
			t.Error("it isn't delivered")
		}
		if cards := o.cards(); len(cards) != 1 || len(cards[0].Blocks) == 0 {
			t.Errorf("the cards are %+v", cards)
		}
	})
	t.Run("doesn't pass", func(t *testing.T) {
		t.Parallel()
		o, s := outbox(t)
		r := o.stored(s, o.of(request.Failed), request.Card, request.Result)
		o.Refuse("chat.postMessage", "quota_of_quarks_exceeded", built("*Result*"))
		if !deliver(t, o, s, 20*time.Second, emptied(s)) {
			t.Errorf("something of %s still waits", r.ID)
		}
		if thread := o.thread(o.cards()[0]); len(thread) != 1 || !strings.Contains(thread[0].Text, "*Result*") {
			t.Errorf("the thread is %+v", thread)
		}
	})
	t.Run("is about the metadata", func(t *testing.T) {
		t.Parallel()
		o, s := outbox(t)
		o.stored(s, o.of(request.Failed), request.Card)
		o.Refuse("chat.postMessage", "metadata_must_be_sent_from_app", func(args map[string]string) bool { return args["metadata"] != "" })
		if !deliver(t, o, s, 10*time.Second, emptied(s)) || len(o.cards()[0].Blocks) == 0 {
			t.Errorf("the cards are %+v", o.cards())
		}
	})
}

func TestAThreadThatTakesNothingGoesOnUnderANewCard(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"restricted_action_thread_locked", "cannot_reply_to_message"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			o := build(t, slacktest.Options{})
			o.meet(&crew{})
			first := o.proposes(o.ada, ann)
			choice := o.choice(first, ann)
			o.quietly()
			place := o.Messages(o.place.ID)[0]
			o.Refuse("chat.postMessage", code, func(args map[string]string) bool { return args["thread_ts"] == place.TS })
			r := o.request()
			if err := o.desk.Store.Tell(t.Context(), request.Change{Messages: []request.Message{{Thread: r.Card, Request: r.ID, Kind: request.Note, Body: request.Body{Text: "The door is stuck."}}}}); err != nil {
				t.Fatal(err)
			}
			o.wait("a new card", func() bool { return len(o.Messages(o.place.ID)) == 2 })
			anew := o.Messages(o.place.ID)[1]
			o.wait("the note under it", func() bool {
				return slices.ContainsFunc(o.under(anew), func(m slacktest.Message) bool { return m.PlainText() == "The door is stuck." })
			})
			o.quietly()
			contains(t, "the old card", string(o.again(place).Blocks), "this thread takes no more messages", "p"+strings.ReplaceAll(anew.TS, ".", ""))
			contains(t, "the new card", string(o.again(anew).Blocks), "goes on from", "p"+strings.ReplaceAll(place.TS, ".", ""))
			o.presses(o.grace, o.choice(anew, ann), "approve")
			o.wait("it to say so", func() bool {
				return strings.Contains(o.again(anew).PlainText(), "Done") && strings.Contains(string(o.again(anew).Blocks), "goes on from")
			})
			if n := len(o.Messages(o.place.ID)); n != 2 {
				t.Errorf("%d cards:\n%s", n, o.story())
			}
			if len(o.again(choice).Buttons()) > 0 {
				t.Error("the buttons in the old thread are still there")
			}
		})
	}
}

// No thread anywhere takes anything: nothing is made anew for ever.
func TestAChannelWithoutThreads(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"restricted_action_thread_locked", "restricted_action_non_threadable_channel"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			o, s := outbox(t)
			r := o.stored(s, o.of(request.Failed), request.Card, request.Result)
			o.Refuse("chat.postMessage", code, func(args map[string]string) bool { return args["thread_ts"] != "" })
			if !deliver(t, o, s, 20*time.Second, emptied(s)) {
				t.Errorf("something of %s still waits:\n%s", r.ID, o.story())
			}
			if n := len(o.cards()); n > 3 {
				t.Errorf("%d messages in the channel:\n%s", n, o.story())
			}
			if last := o.cards()[len(o.cards())-1]; !strings.Contains(last.PlainText(), "Result") || len(last.Buttons()) == 0 {
				t.Errorf("the result isn't there with its buttons:\n%s", o.story())
			}
		})
	}
}

// run delivers until done, after what happens once channels are found, by a bot that tells who asks at once why they wait.
func (o *office) run(s *store.Store, opened func(), done func(*chat.Chat) bool) bool {
	o.t.Helper()
	c := face(s, o.settings())
	c.Hasty(0)
	if err := c.Wire(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	if opened != nil {
		opened()
	}
	ctx, cancel := context.WithCancel(o.t.Context())
	stopped := make(chan bool)
	go func() { defer close(stopped); c.Deliver(ctx) }()
	defer func() { cancel(); <-stopped }()
	return patiently(30*time.Second, 20*time.Millisecond, func() bool { return done(c) })
}

func TestWhoWaitsIsToldWhy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		world func(*office)
		says  string
	}{
		{"the channel is archived", func(o *office) { o.Archive(o.home.ID, true) }, "it is archived"},
		{"the workspace forbids it", func(o *office) {
			o.Refuse("chat.postMessage", "restricted_action", func(args map[string]string) bool { return args["channel"] == o.home.ID })
		}, "the workspace doesn't let the bot post there"},
		{"Slack is in trouble with it", func(o *office) {
			o.Refuse("chat.postMessage", "internal_error", func(args map[string]string) bool { return args["channel"] == o.home.ID })
		}, "Slack refuses it (internal_error)"},
		{"nobody knows why", func(o *office) {
			o.Refuse("chat.postMessage", "quota_of_quarks_exceeded", func(args map[string]string) bool { return args["channel"] == o.home.ID })
		}, "Slack refuses it (quota_of_quarks_exceeded)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, s := outbox(t)
			r := removal(ann, request.Failed, nil)
			r.ID, r.Asker.Workspace, r.Asker.Channel = "", o.TeamID, o.home.ID
			o.stored(s, r, request.Card)
			told := func() []string { return o.letters(o.ada, "I can't show the card") }
			if !o.run(s, func() { test.world(o) }, func(*chat.Chat) bool { return len(told()) > 0 }) {
				t.Fatalf("ada isn't told:\n%s", o.story())
			}
			contains(t, "ada's letter", told()[0], "of `/let-go` — "+ann, test.says, "/rootbot requests")
			if n := len(told()); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

func TestATokenThatIsRevokedIsToldToTheOperator(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	end := o.Refuse("chat.postMessage", "token_revoked", nil)
	o.stored(s, o.of(request.Failed), request.Card)
	if !o.run(s, nil, func(c *chat.Chat) bool {
		return slices.ContainsFunc(c.Unreachable(), func(why string) bool {
			return strings.Contains(why, "the token was revoked (token_revoked): check SLACK_BOT_TOKEN")
		})
	}) {
		t.Error("nobody can read that the token was revoked")
	}
	end()
	if !o.run(s, nil, func(c *chat.Chat) bool { return emptied(s)() && len(c.Unreachable()) == 0 }) {
		t.Error("it isn't ready again")
	}
}

// A plan that Slack takes in no form doesn't hold up its thread for ever, and has no
// buttons before it is shown.
func TestAPlanThatIsSetAside(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	end := o.Refuse("chat.postMessage", "msg_too_long", saying("take the badge"))
	noFile := o.Refuse("files.getUploadURLExternal", "file_uploads_disabled", nil)
	r := removal(ann, request.Waiting, nil)
	r.ID, r.Asker.Workspace, r.Asker.Channel = "", o.TeamID, o.home.ID
	r = o.stored(s, r, request.Card, request.Plan, request.Ask, request.Note)
	waiting := func(kind string) *request.Message {
		list, err := s.Unsent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(list, func(m request.Message) bool { return m.Kind == kind }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for range 6 { // as many tries as take two minutes
		if err := s.Trying(t.Context(), *waiting(request.Plan)); err != nil {
			t.Fatal(err)
		}
	}
	if !o.run(s, nil, func(*chat.Chat) bool { return waiting(request.Ask) == nil && waiting(request.Note) == nil }) {
		t.Fatalf("the thread waits:\n%s", o.story())
	}
	said := ""
	for _, m := range o.thread(o.cards()[0]) {
		if said += m.PlainText(); len(m.Buttons()) > 0 {
			t.Errorf("there are buttons without a plan:\n%s", m.PlainText())
		}
	}
	contains(t, "the thread", said, "Slack doesn't take the plan, so it can't be approved")
	end()
	noFile()
	if err := s.Later(t.Context(), waiting(request.Plan).ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if !o.run(s, nil, func(*chat.Chat) bool { return emptied(s)() }) {
		t.Fatalf("the plan isn't shown:\n%s", o.story())
	}
	thread := o.thread(o.cards()[0])
	last := thread[len(thread)-1]
	if plan := thread[len(thread)-2]; !strings.Contains(plan.PlainText(), "take the badge") || len(last.Buttons()) == 0 {
		t.Errorf("the last are\n%s\n%s", plan.PlainText(), last.PlainText())
	}
	if n := len(slices.DeleteFunc(thread, func(m slacktest.Message) bool { return len(m.Buttons()) == 0 })); n != 1 {
		t.Errorf("%d messages have buttons", n)
	}
	events, err := s.Events(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		if e.Kind == "unshown" || e.Kind == "shown" {
			kinds = append(kinds, fmt.Sprint(e.Kind, " ", e.Data["digest"] == r.Digest()))
		}
	}
	same(t, "what is recorded", []string{"unshown true", "shown true"}, kinds)
}

// The text in place of a file that Slack doesn't take has an end, but a plan must be told as
// a whole before anybody decides about it.
func TestOfAPlanNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("   - Remove a key\n", 10_000)
	if got := chat.FileAsText(request.Plan, long); got != long {
		t.Errorf("%d of %d characters of a plan are told", len(got), len(long))
	}
	if got := chat.FileAsText(request.LogFile, long); len(got) > 80_000 || !strings.HasSuffix(got, "The rest is in the bot's database only.") {
		t.Errorf("%d characters of a log are told", len(got))
	}
}
