package slacktest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

func TestTheBotKnowsItself(t *testing.T) {
	s := begin(t, slacktest.Options{Scopes: []string{"chat:write", "commands"}})
	who, err := s.api.AuthTest()
	if err != nil {
		t.Fatal(err)
	}
	if got := who.Header.Get("X-OAuth-Scopes"); got != "chat:write,commands" {
		t.Errorf("scopes are %q", got)
	}
	who.Header = nil
	want := &slack.AuthTestResponse{
		URL: "https://example.slack.com/", Team: "Example", User: "rootbot", TeamID: s.TeamID, UserID: s.BotUserID, BotID: s.BotID,
	}
	if d := cmp.Diff(want, who); d != "" {
		t.Error(d)
	}
}

func TestTokensAreChecked(t *testing.T) {
	s := begin(t, slacktest.Options{})
	for name, try := range map[string]struct{ token, want string }{
		"a wrong token": {"xoxb-wrong", "invalid_auth"},
		"no token":      {"", "not_authed"},
		"the app token": {s.AppToken, "not_allowed_token_type"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := slack.New(try.token, slack.OptionAPIURL(s.URL())).GetUserInfo(s.ada.ID)
			failed(t, err, try.want)
		})
	}
}

func TestAMissingScopeIsNamed(t *testing.T) {
	s := begin(t, slacktest.Options{Scopes: []string{"commands"}})
	_, _, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionText("hello", false))
	e, ok := err.(slack.SlackErrorResponse)
	if !ok || e.Err != "missing_scope" || e.Needed != "chat:write" || e.Provided != "commands" {
		t.Errorf("error is %#v", err)
	}
}

func TestAnUnknownMethodIsAProblem(t *testing.T) {
	s := begin(t, slacktest.Options{})
	failed(t, s.api.ArchiveConversation(s.ops.ID), "unknown_method")
	if d := cmp.Diff([]string{"conversations.archive: unknown_method"}, s.Problems()); d != "" {
		t.Error(d)
	}
	if c := s.Calls(); len(c) != 1 || c[0].Error != "unknown_method" || c[0].Args["channel"] != s.ops.ID || c[0].Args["token"] != "" {
		t.Errorf("calls are %+v", c)
	}
}

func TestJSONBodiesTakeTheTokenFromTheHeaderOnly(t *testing.T) {
	s := begin(t, slacktest.Options{})
	post := func(auth, kind, body string) (answer struct {
		OK    bool
		Error string
	},
	) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"chat.postMessage", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		if auth != "" {
			r.Header.Set("Authorization", "Bearer "+auth)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	in := `{"token":"` + s.BotToken + `","channel":"` + s.ops.ID + `","text":"hello","blocks":[{"type":"divider"}]}`
	if a := post("", "application/json", in); a.Error != "not_authed" {
		t.Errorf("token in JSON: %+v", a)
	}
	if a := post(s.BotToken, "application/json; charset=utf-8", in); !a.OK {
		t.Errorf("token in the header: %+v", a)
	}
	if a := post("", "application/x-www-form-urlencoded", url.Values{"token": {s.BotToken}, "channel": {s.ops.ID}, "text": {"hi"}}.Encode()); !a.OK {
		t.Errorf("token in the form: %+v", a)
	}
	if a := post(s.BotToken, "application/json", "{"); a.Error != "invalid_json" {
		t.Errorf("bad JSON: %+v", a)
	}
	if a := post(s.BotToken, "text/plain", "x"); a.Error != "invalid_post_type" {
		t.Errorf("text: %+v", a)
	}
}

func TestMessagesArePostedEditedAndDeleted(t *testing.T) {
	s := begin(t, slacktest.Options{})
	ts := s.post(slack.MsgOptionText("one &amp; two", false))
	reply := s.post(slack.MsgOptionText("a reply", false), slack.MsgOptionTS(ts))
	if _, _, _, err := s.api.UpdateMessage(s.ops.ID, ts, slack.MsgOptionText("three", false)); err != nil {
		t.Fatal(err)
	}
	m := s.Messages(s.ops.ID)
	if len(m) != 1 || m[0].TS != ts || m[0].Text != "three" || m[0].Edited != 1 || m[0].User != s.BotUserID {
		t.Errorf("messages are %+v", m)
	}
	if r := s.Thread(s.ops.ID, ts); len(r) != 1 || r[0].TS != reply || r[0].ThreadTS != ts {
		t.Errorf("replies are %+v", r)
	}
	if _, _, err := s.api.DeleteMessage(s.ops.ID, ts); err != nil {
		t.Fatal(err)
	}
	if m := s.Messages(s.ops.ID); len(m) != 1 || !m[0].Tombstone {
		t.Errorf("a deleted parent is %+v", m)
	}
	if _, _, err := s.api.DeleteMessage(s.ops.ID, reply); err != nil {
		t.Fatal(err)
	}
	if r := s.Thread(s.ops.ID, ts); len(r) != 0 {
		t.Errorf("replies are %+v", r)
	}
	s.blameless()
}

func TestAnUpdateKeepsWhatItDoesNotMention(t *testing.T) {
	s := begin(t, slacktest.Options{})
	meta := slack.SlackMetadata{EventType: "request", EventPayload: map[string]any{"id": "r1"}}
	ts := s.post(slack.MsgOptionText("old", false), slack.MsgOptionBlocks(slack.NewDividerBlock()), slack.MsgOptionMetadata(meta))
	if _, _, _, err := s.api.UpdateMessage(s.ops.ID, ts, slack.MsgOptionText("new", false)); err != nil {
		t.Fatal(err)
	}
	if m := s.Messages(s.ops.ID)[0]; m.Text != "new" || m.Blocks == nil || m.Metadata == nil {
		t.Errorf("message is %+v", m)
	}
	if _, _, _, err := s.api.UpdateMessage(s.ops.ID, ts, slack.MsgOptionText("new", false), slack.MsgOptionBlocks([]slack.Block{}...)); err != nil {
		t.Fatal(err)
	}
}

func TestMetadataIsFoundAgain(t *testing.T) {
	s := begin(t, slacktest.Options{})
	meta := slack.SlackMetadata{EventType: "rootbot_request", EventPayload: map[string]any{"id": "r1"}}
	ts := s.post(slack.MsgOptionText("card", false), slack.MsgOptionMetadata(meta))
	s.post(slack.MsgOptionText("log", false), slack.MsgOptionTS(ts), slack.MsgOptionMetadata(meta))
	for _, all := range []bool{true, false} {
		h, err := s.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: s.ops.ID, IncludeAllMetadata: all})
		if err != nil {
			t.Fatal(err)
		}
		r, _, _, err := s.api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: s.ops.ID, Timestamp: ts, IncludeAllMetadata: all})
		if err != nil {
			t.Fatal(err)
		}
		want := slack.SlackMetadata{}
		if all {
			want = meta
		}
		if len(h.Messages) != 1 || len(r) != 2 {
			t.Fatalf("history has %d, the thread %d", len(h.Messages), len(r))
		}
		for _, m := range []slack.Message{h.Messages[0], r[0], r[1]} {
			if d := cmp.Diff(want, m.Metadata); d != "" {
				t.Error(d)
			}
		}
		if h.Messages[0].ReplyCount != 1 || r[1].ThreadTimestamp != ts {
			t.Errorf("parent %+v, reply %+v", h.Messages[0], r[1])
		}
	}
}

func TestHistoryIsPagedNewestFirstAndRepliesOldestFirst(t *testing.T) {
	s := begin(t, slacktest.Options{})
	var posted, replied []string
	for range 5 {
		posted = append([]string{s.post(slack.MsgOptionText("m", false))}, posted...)
	}
	replied = append(replied, posted[2])
	for range 4 {
		replied = append(replied, s.post(slack.MsgOptionText("r", false), slack.MsgOptionTS(posted[2])))
	}
	var read []string
	for cursor, more := "", true; more; {
		h, err := s.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: s.ops.ID, Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range h.Messages {
			read = append(read, m.Timestamp)
		}
		cursor, more = h.ResponseMetaData.NextCursor, h.HasMore
	}
	if d := cmp.Diff(posted, read); d != "" {
		t.Error(d)
	}
	read = nil
	for cursor, more := "", true; more; {
		var page []slack.Message
		var err error
		page, more, cursor, err = s.api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: s.ops.ID, Timestamp: posted[2], Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			read = append(read, m.Timestamp)
		}
	}
	if d := cmp.Diff(replied, read); d != "" {
		t.Error(d)
	}
	h, err := s.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: s.ops.ID, Oldest: posted[3], Latest: posted[1]})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Messages) != 1 || h.Messages[0].Timestamp != posted[2] {
		t.Errorf("between two there are %d", len(h.Messages))
	}
}

func TestWhatCannotBePosted(t *testing.T) {
	s := begin(t, slacktest.Options{})
	elsewhere := s.AddChannel(slacktest.Channel{Name: "elsewhere"})
	secret := s.AddChannel(slacktest.Channel{Name: "secret", Private: true})
	archived := s.AddChannel(slacktest.Channel{Name: "old", Archived: true, Members: []string{s.BotUserID}})
	word, err := s.Say(s.ada.ID, s.ops.ID, "", "hello")
	if err != nil {
		t.Fatal(err)
	}
	said := slack.MsgOptionText("hello", false)
	post := func(channel string, options ...slack.MsgOption) error {
		_, _, err := s.api.PostMessage(channel, options...)
		return err
	}
	whisper := func(channel, user string) error { _, err := s.api.PostEphemeral(channel, user, said); return err }
	outsider := s.AddUser(slacktest.User{RealName: "Outsider"})
	for name, try := range map[string]struct {
		err  error
		want string
	}{
		"in a channel that is not there":     {post("C0NOWHERE", said), "channel_not_found"},
		"in a private channel without bot":   {post(secret.ID, said), "channel_not_found"},
		"in a channel the bot is not in":     {post(elsewhere.ID, said), "not_in_channel"},
		"in an archived channel":             {post(archived.ID, said), "is_archived"},
		"nothing":                            {post(s.ops.ID), "no_text"},
		"too much":                           {post(s.ops.ID, slack.MsgOptionText(strings.Repeat("é", 40001), false)), "msg_too_long"},
		"to a thread that is not there":      {post(s.ops.ID, said, slack.MsgOptionTS("1.000001")), "thread_not_found"},
		"metadata without a type":            {post(s.ops.ID, said, slack.MsgOptionMetadata(slack.SlackMetadata{})), "invalid_metadata_schema"},
		"to somebody who is not there":       {post("U0NOBODY", said), "channel_not_found"},
		"ephemeral for an outsider":          {whisper(s.ops.ID, outsider.ID), "user_not_in_channel"},
		"ephemeral for nobody":               {whisper(s.ops.ID, "U0NOBODY"), "user_not_found"},
		"ephemeral in a channel without bot": {whisper(elsewhere.ID, s.ada.ID), "not_in_channel"},
	} {
		t.Run(name, func(t *testing.T) { failed(t, try.err, try.want) })
	}
	_, _, _, err = s.api.UpdateMessage(s.ops.ID, "1.000001", said)
	failed(t, err, "message_not_found")
	_, _, _, err = s.api.UpdateMessage(s.ops.ID, word.TS, said)
	failed(t, err, "cant_update_message")
	_, _, err = s.api.DeleteMessage(s.ops.ID, word.TS)
	failed(t, err, "cant_delete_message")
	s.blameless()
}

func TestDirectMessagesAndPermalinks(t *testing.T) {
	s := begin(t, slacktest.Options{})
	ch, _, _, err := s.api.OpenConversation(&slack.OpenConversationParameters{Users: []string{s.ada.ID}, ReturnIM: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{ch.ID, s.ada.ID} {
		if _, _, err := s.api.PostMessage(id, slack.MsgOptionText("psst", false)); err != nil {
			t.Fatal(err)
		}
	}
	if all := s.Direct(s.ada.ID); len(all) != 2 || all[1].Channel != ch.ID {
		t.Errorf("Ada was sent %+v", all)
	}
	ts := s.post(slack.MsgOptionText("hello", false))
	link, err := s.api.GetPermalink(&slack.PermalinkParameters{Channel: s.ops.ID, Ts: ts})
	if want := "https://example.slack.com/archives/" + s.ops.ID + "/p" + strings.ReplaceAll(ts, ".", ""); err != nil || link != want {
		t.Errorf("link is %q, %v", link, err)
	}
	if err := s.api.AddReaction("eyes", slack.NewRefToMessage(s.ops.ID, ts)); err != nil {
		t.Fatal(err)
	}
	failed(t, s.api.AddReaction("eyes", slack.NewRefToMessage(s.ops.ID, ts)), "already_reacted")
	s.blameless()
}

func TestPeopleAndChannelsAreFound(t *testing.T) {
	s := begin(t, slacktest.Options{})
	guest := s.AddUser(slacktest.User{RealName: "Guest", UltraRestricted: true, Stranger: true, TeamID: "T0OTHER", Email: "g@other.example"})
	u, err := s.api.GetUserInfo(guest.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !u.IsRestricted || !u.IsUltraRestricted || !u.IsStranger || u.IsBot || u.Deleted || u.TeamID != "T0OTHER" || u.Profile.Email != "g@other.example" {
		t.Errorf("the guest is %+v", u)
	}
	if u, err := s.api.GetUserByEmail("ADA@example.gov.uk"); err != nil || u.ID != s.ada.ID {
		t.Errorf("Ada is %+v, %v", u, err)
	}
	_, err = s.api.GetUserByEmail("nobody@example.gov.uk")
	failed(t, err, "users_not_found")
	_, err = s.api.GetUserInfo("U0NOBODY")
	failed(t, err, "user_not_found")

	for _, c := range []slacktest.Channel{{Name: "a"}, {Name: "b", Archived: true}, {Name: "c"}, {Name: "mine", Private: true, Members: []string{s.BotUserID}}, {Name: "theirs", Private: true}} {
		s.AddChannel(c)
	}
	for want, p := range map[string]slack.GetConversationsParameters{
		"ops a b c":    {},
		"ops a c":      {ExcludeArchived: true, Types: []string{"public_channel"}},
		"ops a c mine": {ExcludeArchived: true, Types: []string{"public_channel", "private_channel"}},
	} {
		var names []string
		for p.Limit = 2; ; {
			page, next, err := s.api.GetConversations(&p)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page {
				names = append(names, c.Name)
			}
			if p.Cursor = next; next == "" {
				break
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("channels are %q, want %q", got, want)
		}
	}
	c := s.Channels()[1]
	if info, err := s.api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: c.ID}); err != nil || info.Name != "a" || info.IsMember {
		t.Errorf("channel is %+v, %v", info, err)
	}
	if _, warning, _, err := s.api.JoinConversation(c.ID); err != nil || warning != "" {
		t.Errorf("joining: %q, %v", warning, err)
	}
	if _, warning, _, err := s.api.JoinConversation(c.ID); err != nil || warning != "already_in_channel" {
		t.Errorf("joining twice: %q, %v", warning, err)
	}
	s.Invite(c.ID, s.ada.ID, s.ada.ID)
	s.Kick(c.ID, s.BotUserID)
	members, _, err := s.api.GetUsersInConversation(&slack.GetUsersInConversationParameters{ChannelID: c.ID})
	if d := cmp.Diff([]string{s.ada.ID}, members); err != nil || d != "" {
		t.Error(err, d)
	}
	s.blameless()
}

func TestWaitAndSubscribe(t *testing.T) {
	s := begin(t, slacktest.Options{})
	events, cancel := s.Subscribe()
	ts := s.post(slack.MsgOptionText("one", false))
	_, _, _, _ = s.api.UpdateMessage(s.ops.ID, ts, slack.MsgOptionText("two", false))
	_, _ = s.api.PostEphemeral(s.ops.ID, s.ada.ID, slack.MsgOptionText("psst", false))
	_, _, _ = s.api.DeleteMessage(s.ops.ID, ts)
	var got []string
	for range 4 {
		e := <-events
		got = append(got, string(e.Kind)+" "+e.Message.Text+" "+e.UserID)
	}
	if d := cmp.Diff([]string{"posted one ", "edited two ", "ephemeral psst " + s.ada.ID, "deleted two "}, got); d != "" {
		t.Error(d)
	}
	cancel()
	cancel()
	if _, open := <-events; open {
		t.Error("events go on after cancel")
	}

	done := make(chan error, 1)
	go func() {
		done <- s.Wait(t.Context(), func() bool { return len(s.Messages(s.ops.ID)) == 3 })
	}()
	for range 3 {
		s.post(slack.MsgOptionText("x", false))
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := s.Wait(ctx, func() bool { return false }); err == nil {
		t.Error("waited for nothing, and it came")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s := begin(t, slacktest.Options{})
	events, _ := s.Subscribe()
	conn := dial(t, s)
	read(t, conn)
	s.post(slack.MsgOptionText("still here", false))
	s.Close()
	s.Close()
	for range events {
	}
	if _, _, err := conn.ReadMessage(); err == nil {
		t.Error("the connection is open")
	}
	if len(s.Messages(s.ops.ID)) != 1 {
		t.Error("what was said is gone")
	}
	if err := s.Wait(t.Context(), func() bool { return false }); err == nil {
		t.Error("waiting goes on")
	}
}
