package deleteaccount_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
)

// That accounts are disabled in a unit is a matter of its policies, not of its name.
func TestTheUnitForDisabledAccountsDenies(t *testing.T) {
	t.Parallel()
	const (
		deny          = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalARN":"arn:aws:iam::*:role/keeper"}}}]}`
		denyButSSO    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*"}}}]}`
		denyButAdmins = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/AWSReservedSSO_*","arn:aws:iam::*:user/jo"]}}}]}`
		denyNoUser    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:user/?*"]}}}]}`
		denyNobody    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:*/*"}}}]}`
		denyButWork   = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":["s3:*","ec2:*"],"Resource":"*"}]}`
		denyBut       = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","NotAction":["sso:*"],"Resource":"*"}}`
		denySome      = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["ec2:*"],"Resource":"*"}]}`
		// As AWS Control Tower denies Regions.
		denyRegions = `{"Version":"2012-10-17","Statement":[{"Sid":"GRREGIONDENY","Effect":"Deny","NotAction":["iam:*","organizations:*","sts:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-west-2"]},"ArnNotLike":{"aws:PrincipalARN":["arn:*:iam::*:role/AWSControlTowerExecution"]}}}]}`
		denyRoot    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalArn":["arn:aws:iam::*:root"]}}}]}`
		denyBucket  = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::audit-logs/*"}]}`
		denyNoRole  = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/*"]}}}]}`
		denyRoles   = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":"support:*","Resource":["*"],"Condition":{"StringNotLikeIfExists":{"aws:PrincipalArn":["arn:aws:iam::*:role/keeper","arn:aws:iam::*:root"]}}}]}`
		denyNothing = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":"*","Resource":"*"}]}`
		allowBut    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}]}`
		allowFew    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sso:*"],"Resource":"*"}]}`
	)
	for _, test := range []struct {
		name   string
		change func(w *world, unit string)
		warns  string // empty: no warning
	}{
		{"a policy that denies all but a role everything", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", deny), unit) }, ""},
		{"a policy that denies everything, beside one with exceptions", func(w *world, unit string) {
			w.o.AttachPolicy(w.o.AddPolicy("p", denyButSSO), unit)
			w.o.AttachPolicy(w.o.AddPolicy("q", deny), unit)
		}, ""},
		{"a policy that denies everything else", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyBut), unit) }, "leave the account usable in part: sso:* for everybody, by p ("},
		{"a policy that denies everything but what the account is for", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyButWork), unit) }, "usable in part: ec2:*, s3:* for everybody, by p ("},
		{"only a few things are allowed", func(w *world, unit string) {
			w.o.AttachPolicy(w.o.AddPolicy("p", allowFew), unit)
			w.o.DetachPolicy("p-FullAWSAccess", unit)
		}, "usable in part: sso:* for everybody, by what is allowed at Shelf."},
		{"a policy that denies everything else, with exceptions", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyRoles), unit) }, "usable in part: support:* for everybody, and everything for arn:aws:iam::*:role/keeper, arn:aws:iam::*:root, by p ("},
		{"a policy that excepts single sign-on's roles", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyButSSO), unit) }, "usable in part: everything for arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*, by p ("},
		{"a policy that excepts single sign-on's roles and a user", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyButAdmins), unit) }, "usable in part: everything for arn:aws:iam::*:role/AWSReservedSSO_*, arn:aws:iam::*:user/jo, by p ("},
		{"a policy that excepts every user", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyNoUser), unit) }, "No policy in Shelf ("},
		{"a policy that excepts everybody", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyNobody), unit) }, "No policy in Shelf ("},
		{"a policy that denies everything above the unit", func(w *world, unit string) {
			attic := w.o.AddOU("Attic", "")
			w.o.AttachPolicy(w.o.AddPolicy("p", deny), attic)
			w.settings.DisabledOU = w.o.AddOU("Box", attic)
		}, ""},
		{"a policy that denies everything at the root", func(w *world, _ string) { w.o.AttachPolicy(w.o.AddPolicy("p", deny), w.o.Root()) }, "takes no access away: every policy there applies where the account comes from"},
		{"a policy that denies everything at the root, and one at the unit that doesn't", func(w *world, unit string) {
			w.o.AttachPolicy(w.o.AddPolicy("p", deny), w.o.Root())
			w.o.AttachPolicy(w.o.AddPolicy("q", denySome), unit)
		}, "No policy in Shelf ("},
		{"a policy that denies everything in another unit", func(w *world, _ string) { w.o.AttachPolicy(w.o.AddPolicy("p", deny), w.closed) }, "nothing but FullAWSAccess applies there"},
		{"a policy that denies everything where the account is as well", func(w *world, unit string) {
			p := w.o.AddPolicy("p", deny)
			w.o.AttachPolicy(p, unit)
			w.o.AttachPolicy(p, w.ponds)
		}, "No policy in Shelf ("},
		{"a policy that denies everything in the unit, and the account is there", func(w *world, unit string) {
			w.o.AttachPolicy(w.o.AddPolicy("p", deny), unit)
			w.o.Move(sinking, unit)
		}, ""},
		{"a policy that denies everything at the root, and the account is in the unit", func(w *world, unit string) {
			w.o.AttachPolicy(w.o.AddPolicy("p", deny), w.o.Root())
			w.o.Move(sinking, unit)
		}, "takes no access away"},
		{"only a few things are allowed in the whole organisation", func(w *world, _ string) {
			w.o.AttachPolicy(w.o.AddPolicy("p", allowFew), w.o.Root())
			w.o.DetachPolicy("p-FullAWSAccess", w.o.Root())
		}, "takes no access away"},
		{"Regions are denied in the whole organisation", func(w *world, _ string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyRegions), w.o.Root()) }, "takes no access away: every policy there applies where the account comes from"},
		{"a policy that denies the root user everything", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyRoot), unit) }, "No policy in Shelf ("},
		{"a policy that denies everything in one bucket", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyBucket), unit) }, "No policy in Shelf ("},
		{"a policy that excepts every role", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyNoRole), unit) }, "No policy in Shelf ("},
		{"a policy that denies everything but everything", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denyNothing), unit) }, "No policy in Shelf ("},
		{"everything but one service is allowed", func(w *world, unit string) {
			w.o.AttachPolicy(w.o.AddPolicy("p", allowBut), unit)
			w.o.DetachPolicy("p-FullAWSAccess", unit)
		}, "No policy in Shelf ("},
		{"no policy of its own", func(*world, string) {}, "takes no access away: nothing but FullAWSAccess applies there."},
		{"a policy that denies little", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", denySome), unit) }, "No policy in Shelf ("},
		{"a few things are allowed besides everything", func(w *world, unit string) { w.o.AttachPolicy(w.o.AddPolicy("p", allowFew), unit) }, "No policy in Shelf ("},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			unit := w.o.AddOU("Shelf", "")
			w.settings.DisabledOU = unit
			test.change(w, unit)
			plan := w.look(w.walk())
			i := slices.IndexFunc(plan.Warnings, func(s string) bool { return strings.Contains(s, "("+w.settings.DisabledOU+")") })
			switch {
			case test.warns == "" && i >= 0:
				t.Errorf("warns: %s", plan.Warnings[i])
			case test.warns != "" && (i < 0 || !strings.Contains(plan.Warnings[i], test.warns)):
				t.Errorf("warnings %q, want %q", plan.Warnings, test.warns)
			}
			if by := fact(plan, "Usable in Shelf") + fact(plan, "Usable in Box"); (by != "") != (test.warns == "") || by != "" && !strings.HasPrefix(by, "everything for arn:aws:iam::*:role/keeper, by ") {
				t.Errorf("usable: %q", by)
			}
			w.done()
		})
	}
}

// A unit that isn't there is told with the setting that names it.
func TestAUnitThatIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := w.disabled[:len(w.disabled)-4] + "zzzz"
	w.settings.DisabledOU = gone
	_, err := w.walk().Look(t.Context())
	w.refused(err, ops.Unavailable, "OrganizationalUnitNotFoundException", "Check whether there is an organizational unit "+gone+" (operations.delete-account.disabled_ou in the bot's settings).")
	w.untouched()
}
