package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

func TestATokenIsOwnedByWhatRunsWithItForAsLongAsThatLives(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	bot, person := open(t, address), open(t, address)
	const token = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
	owned := func(when string, token string, want bool) {
		t.Helper()
		if got, err := person.Owned(t.Context(), token); err != nil || got != want {
			t.Errorf("%s: %v, %v", when, got, err)
		}
	}
	owned("before there is a bot", token, false)
	bot.Own(token)
	if err := bot.Join(t.Context(), store.Process{Front: "slack"}); err != nil {
		t.Fatal(err)
	}
	owned("beside the bot", token, true)
	owned("another token", token+"x", false)
	owned("no token", "", false)
	var kept string
	if err := person.DB().QueryRowContext(t.Context(), "SELECT token FROM processes WHERE token <> ''").Scan(&kept); err != nil || kept == "" || strings.Contains(kept, token) {
		t.Errorf("kept is %q: %v", kept, err)
	}
	if err := bot.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	owned("once the bot has stopped", token, false)
}
