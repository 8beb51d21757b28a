package awsaccess

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// denies tells whether a code says that a call isn't allowed.
func denies(code string) bool {
	return slices.Contains([]string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorizedException", "AuthorizationError", "AuthorizationErrorException"}, code)
}

func throttleCode(code string) bool {
	_, known := retry.DefaultThrottleErrorCodes[code]
	return known || strings.Contains(strings.ToLower(code), "throttl")
}

// What AWS's words tell of a refusal: who asked for which action on which resource, and
// which kind of policy didn't allow or denies it. AWS documents these sentences.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
var (
	deniedWho    = regexp.MustCompile(`(?:User|Principal): (arn:\S+) is not authorized`)
	deniedAction = regexp.MustCompile(`is not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)`)
	deniedOn     = regexp.MustCompile(`on resource: (\S+?)\.?(?:\s|$)`)
	deniedNone   = regexp.MustCompile(`because no ([a-zA-Z -]+?) allows`)
	deniedBy     = regexp.MustCompile(`with an explicit deny in an? ([a-zA-Z -]+?(?:policy|boundary))(?:: (\S+?))?\.?(?:\s|$)`)
)

func found(pattern *regexp.Regexp, text string) string {
	if m := pattern.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// notAssumed is for a refusal of sts:AssumeRole, which is one call and takes three
// permissions. A role that isn't there is refused in the same words.
func (f *fault) notAssumed() {
	action := cmp.Or(found(deniedAction, f.message), f.action)
	f.said.What = fmt.Sprintf("AWS doesn't let the bot assume the role %s (%s was refused).", f.role, action)
	if who := found(deniedWho, f.message); who != "" {
		f.said.What += " The bot is " + who + "."
	}
	f.said.Next = "The bot's own identity and the role's trust policy must both allow sts:AssumeRole, sts:SetSourceIdentity and sts:TagSession; manifests/iam has both. AWS says the same of a role that isn't there."
	if m := deniedBy.FindStringSubmatch(f.message); m != nil {
		f.said.What += fmt.Sprintf(" There is an explicit deny in a %s%s.", m[1], at(m[2]))
		f.said.Next = remedy(m[1], "deny")
	}
}

// denied is for a refusal of any other call. Which kind of policy refused it decides
// what helps.
func (f *fault) denied() {
	f.said.What = fmt.Sprintf("AWS refused %s to the role %s.", f.action, f.role)
	on := found(deniedOn, f.message)
	if on != "" && on != "*" {
		f.said.What += " It was asked for " + on + "."
	}
	none, by := found(deniedNone, f.message), deniedBy.FindStringSubmatch(f.message)
	switch {
	case by != nil:
		f.said.What += fmt.Sprintf(" There is an explicit deny in %s %s%s.", article(by[1]), by[1], at(by[2]))
		f.said.Next = remedy(by[1], "deny")
		return
	case none != "" && none != "identity-based policy":
		f.said.What += fmt.Sprintf(" No %s allows it.", none)
		f.said.Next = remedy(none, "allow")
		if none == "session policy" && len(f.named) > 0 {
			f.said.Next += " " + f.check()
		}
		return
	case none != "":
		f.said.What += " No identity-based policy allows it."
	case !deniedAction.MatchString(f.message) && f.message != "":
		f.said.What += " AWS says: " + f.message
	}
	f.said.Next = "The role's policy must allow it; manifests/iam has the policy."
	if len(f.named) > 0 {
		f.said.Next += " If it does, the name is wrong: AWS refuses what isn't there in the same words. " + f.check()
	}
	if f.call.Service() == "Organizations" {
		f.said.Next += " The role must also be one of the organisation's management account: AWS Organizations refuses others in the same words."
	}
}

func at(arn string) string {
	if arn == "" {
		return ""
	}
	return " (" + arn + ")"
}

func article(noun string) string {
	if strings.HasPrefix(noun, "identity") {
		return "an"
	}
	return "a"
}

// remedy says which policy must change, by its kind in AWS's words. A deny has to go,
// or to except the role.
func remedy(kind, how string) string {
	change := "must allow it."
	if how == "deny" {
		change = "must not deny it to this role."
	}
	switch kind {
	case "service control policy", "resource control policy":
		return fmt.Sprintf("A %s of the organisation stops it: the administrators of AWS Organizations must change that. The policy %s The role's own policy isn't the cause.", kind, change)
	case "permissions boundary":
		return "The permissions boundary of the role " + change + " The role's own policy isn't the cause."
	case "session policy":
		return "The bot narrows each session to what its settings name, and this isn't among that."
	case "VPC endpoint policy":
		return "The policy of the VPC endpoint in the bot's network " + change
	case "role trust policy":
		return "The trust policy of the role " + change + " manifests/iam has it."
	case "identity-based policy":
		return "A statement of the role's own policies denies it. If it isn't meant to, that statement has to go; manifests/iam has the policy."
	}
	return fmt.Sprintf("The %s of what was asked for %s", kind, change)
}
