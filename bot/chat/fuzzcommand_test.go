package chat_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/ops"
)

// FuzzCommand looks for a command that, typed by anybody anywhere, isn't
// answered once, is answered with more than text, or is stored as another one
// than was typed.
func FuzzCommand(f *testing.F) {
	for _, command := range []string{"/tidy-up", "/sweep-up", "/let-go", "/burn-down", "/rootbot", "/unknown", ""} {
		for i, text := range []string{"", "help", "Plan", "octocat hubot", ann + "," + bob + ";" + ann} {
			f.Add(command, text, uint8(i), uint8(i))
			f.Add(command, text, uint8(i+2), uint8(1))
		}
	}
	for _, text := range []string{
		"requests", "history", "history let-go", "history /tidy-up", "history ada", "history <!channel>", "whoami", "dance <@U0EVE>", "requests all",
		"history " + strings.Repeat("<", 3000), strings.Repeat("w", 5000), "history \u202e", "history 👩‍🚀 ", "link", "unlink", "link <!channel>",
	} {
		f.Add("/rootbot", text, uint8(0), uint8(0))
		f.Add("/rootbot", text, uint8(3), uint8(0))
	}
	for _, text := range []string{
		"<!channel> <!here> <@U0EVE> <#C0GENERAL> <https://evil.example|good>", "plan plan", "plan <!channel>", "PLAN", "help me", ",;,;", "\t\r\n", "\xff\xfe", "\x00\a\x1b[31m\u202e",
		"```<!channel>``` `x` *b* _i_ ~s~ > q", "&lt;!channel&gt; &amp;", strings.Repeat("👩‍🚀", 400), strings.Repeat("octocat ", 300), "octocat OCTOCAT Octocat", "\u2028\u2029",
		strings.Repeat("&", 400), strings.Repeat("&", 2500), strings.Repeat("a@b ", 50), strings.Repeat("a@b ", 2000), strings.Repeat("\u200b", 200), "xoxb-" + "1234567890-abcdefgh", "password=" + "correct-horse",
	} {
		for i, command := range []string{"/tidy-up", "/sweep-up", "/let-go", "/burn-down", "/nothing<!channel>", "/`" + text} {
			f.Add(command, text, uint8(i), uint8(1))
		}
	}
	shortly()
	f.Fuzz(func(t *testing.T, command, text string, who, where uint8) {
		if len(command) > 200 || len(text) > 12000 {
			t.Skip("longer than what Slack lets anybody type")
		}
		atBench.Lock()
		defer atBench.Unlock()
		b := turn(t)
		team := benchTeam
		if who >= 128 {
			team = "T0ELSEWHERE"
		}
		user, channel := benchPeople[int(who)%len(benchPeople)], []string{benchHome, benchPlace, "D0DIRECT", ""}[where%4]
		envelope, err := json.Marshal(map[string]string{
			"team_id": team, "channel_id": channel, "user_id": user, "command": command, "text": text, "response_url": benchHook, "trigger_id": b.trigger(),
		})
		if err != nil {
			t.Fatal(err)
		}
		var typed slack.SlashCommand
		if err := json.Unmarshal(envelope, &typed); err != nil {
			t.Fatal(err)
		}
		ack := b.chat.Command(context.Background(), typed)
		acknowledged(t, ack)
		b.answered(t)
		requests, clicks := b.came(t)

		answers := len(b.answers) + len(b.views)
		if len(requests) > 0 {
			answers++
		}
		if ack != nil {
			answers++
			said, ok := ack.(chat.AckText)
			if !ok || said.Type != "ephemeral" {
				t.Fatalf("the ack is %+v", ack)
			}
			tame(t, said.Text, 3000)
		}
		if answers != 1 {
			t.Errorf("%d answers: the ack %v, besides %+v, %d forms, %d requests", answers, ack, b.answers, len(b.views), len(requests))
		}
		if len(clicks) > 0 || len(requests) > 1 {
			t.Errorf("%d clicks and %d requests came of a command", len(clicks), len(requests))
		}
		words := strings.FieldsFunc(typed.Text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
		i := slices.IndexFunc(b.desk.Operations, func(o ops.Operation) bool { return o.Command == typed.Command })
		for _, r := range requests {
			if i < 0 || r.Operation != b.desk.Operations[i].Name || b.desk.Operations[i].Asks() {
				t.Errorf("%s is stored for %q", r.Operation, typed.Command)
			}
			if r.Asker.User != user || r.Asker.Workspace != team || r.Asker.Channel != channel || r.Asker.Front != "slack" || r.Asker.Login != "" || r.By != "" || !r.AdmittedAt.IsZero() {
				t.Errorf("%s asked in %s, and stored is %+v", user, channel, r)
			}
			if r.Preview != (len(words) > 0 && chat.Reserved(words[0]) == "plan") || r.Again != "" || r.Plan != nil {
				t.Errorf("typed is %q, and stored %+v", typed.Text, r)
			}
			for field, values := range r.Inputs {
				if field != "people" || len(values) > len(words) || !within(kept(words), values) {
					t.Errorf("typed is %q, and stored %q", typed.Text, r.Inputs)
				}
			}
		}
		for _, v := range b.views {
			if i < 0 || v.CallbackID != "ask:"+b.desk.Operations[i].Name || v.PrivateMetadata != channel || channel != benchPlace {
				t.Errorf("%s in %s opens %s about %q", typed.Command, channel, v.CallbackID, v.PrivateMetadata)
			}
			for _, block := range v.Blocks.BlockSet {
				input, ok := block.(*slack.InputBlock)
				if !ok {
					continue
				}
				if element, ok := input.Element.(*slack.PlainTextInputBlockElement); ok && !among(append(words, strings.Join(words, "\n")), strings.TrimSuffix(element.InitialValue, "…")) {
					t.Errorf("typed is %q, and the form begins with %q", typed.Text, element.InitialValue)
				}
			}
		}
	})
}

// within tells whether each value is one of the words.
func within(words, values []string) bool {
	return !slices.ContainsFunc(values, func(value string) bool { return !slices.Contains(words, value) })
}
