//! Two rules that are as precise as each other and about the same field, and say of whom it is in two ways.
//! Where they differ in class alone, the stricter counts; whose key a field is sealed under has no such order.

use super::pattern::PathPattern;
use super::rule::FieldRule;

/// What is wrong with a rule, beside another that comes before it.
pub(super) struct Contradiction {
    /// The place of the later rule among those that were given.
    pub(super) index: usize,
    /// The member in which they differ.
    pub(super) member: &'static str,
    pub(super) reason: String,
}

/// Every rule that contradicts one before it, unless a more precise one decides. `others` are rules beside
/// them that may decide.
pub(super) fn contradictions(rules: &[FieldRule], others: &[FieldRule]) -> Vec<Contradiction> {
    let is_decided = |pair: Pair<'_>, both: &PathPattern| {
        rules.iter().chain(others).any(|rule| pair.is_decided_by(rule, both))
    };
    let of_rule = |(index, later): (usize, &FieldRule)| {
        rules.iter().take(index).find_map(|earlier| {
            let pair = Pair { earlier, later };
            let (member, both) = (pair.differing()?, earlier.path().both(later.path())?);
            if is_decided(pair, &both) {
                return None;
            }
            let reason = format!(
                "is something else for {both} than in the rule about {}, which is as precise; say in a rule about \
                 {both} what holds",
                earlier.path()
            );
            Some(Contradiction { index, member, reason })
        })
    };
    rules.iter().enumerate().filter_map(of_rule).collect()
}

#[derive(Clone, Copy)]
struct Pair<'a> {
    earlier: &'a FieldRule,
    later: &'a FieldRule,
}

impl Pair<'_> {
    /// The member in which they cannot both hold.
    fn differing(self) -> Option<&'static str> {
        let Self { earlier, later } = self;
        let (one, other) = (earlier.path(), later.path());
        if one == other || one.precision() != other.precision() {
            return None;
        }
        // Of people counts before of all, so that it must not be the laxer.
        let is_laxer = match (earlier.people_only(), later.people_only()) {
            (true, false) => earlier.class() < later.class(),
            (false, true) => later.class() < earlier.class(),
            _ => false,
        };
        if is_laxer {
            return Some("class");
        }
        let are_sealed = earlier.class().is_sealed() && later.class().is_sealed();
        (are_sealed && earlier.owner() != later.owner()).then_some("owner")
    }

    /// Whether a rule is about all of what both are about, and more precise than they are.
    fn is_decided_by(self, rule: &FieldRule, both: &PathPattern) -> bool {
        let for_all =
            !rule.people_only() || (self.earlier.people_only() && self.later.people_only());
        for_all
            && rule.path().precision() > self.later.path().precision()
            && rule.path().holds(both)
    }
}

#[cfg(test)]
mod tests {
    use super::contradictions;
    use crate::sealing::{FieldClass, FieldOwner, FieldRule, PathPattern};

    fn rule(path: &str, class: FieldClass, owner: FieldOwner) -> FieldRule {
        FieldRule::new(PathPattern::parse(path).unwrap(), class).owned_by(owner)
    }

    fn found(rules: &[FieldRule]) -> Vec<(usize, &'static str)> {
        let all = contradictions(rules, &[]).into_iter();
        all.map(|one| (one.index, one.member)).collect()
    }

    #[test]
    fn owners_that_differ_where_two_rules_meet_are_told() {
        use FieldClass::{Personal, Public, Secret};
        use FieldOwner::{Actor, ByPlace, Target};
        let any = rule("data.*.x", Personal, ByPlace);
        let after = rule("data.after.*", Secret, Target);
        let both = [any.clone(), after.clone()];
        assert_eq!(found(&both), [(1, "owner")]);
        let told = contradictions(&both, &[]).remove(0).reason;
        assert!(told.contains("for data.after.x than in the rule about data.*.x"), "{told}");
        // One that is more precise decides, also where it is the preset's.
        let decides = rule("data.after.x", Personal, Actor);
        assert_eq!(found(&[any.clone(), after.clone(), decides.clone()]), []);
        assert!(contradictions(&both, &[decides]).is_empty());
        assert_eq!(
            found(&[any.clone(), after.clone(), rule("data.before.x", Personal, Actor)]),
            [(1, "owner")]
        );
        // Nothing that both are about, another precision, the same owner, and nothing that is sealed.
        assert_eq!(found(&[any.clone(), rule("data.after", Secret, Target)]), []);
        assert_eq!(found(&[any.clone(), rule("data.*.y", Secret, Target)]), []);
        assert_eq!(found(&[any.clone(), rule("data.after.*", Secret, ByPlace)]), []);
        assert_eq!(found(&[any, rule("data.after.*", Public, Target)]), []);
        // An actor has no region, and its type is always clear.
        let actor = rule("actor.*", Personal, Actor);
        assert_eq!(found(&[actor.clone(), rule("*.region", Personal, Target)]), []);
        assert_eq!(found(&[actor.clone(), rule("*.type", Personal, Target)]), []);
        assert_eq!(found(&[actor, rule("*.name", Personal, Target)]), [(1, "owner")]);
    }

    #[test]
    fn a_laxer_rule_of_people_is_told() {
        use FieldClass::{Personal, Secret, Sensitive};
        let people = rule("target.*", Personal, FieldOwner::ByPlace).of_people();
        let names = |class| rule("*.name", class, FieldOwner::ByPlace);
        assert_eq!(found(&[people.clone(), names(Secret)]), [(1, "class")]);
        assert_eq!(found(&[names(Sensitive), people.clone()]), [(1, "class")]);
        assert_eq!(found(&[people.clone(), names(Personal)]), []);
        let own = rule("target.name", Secret, FieldOwner::ByPlace);
        assert_eq!(
            found(&[people.clone(), names(Secret), own.clone().of_people()]),
            [(1, "class")]
        );
        assert_eq!(found(&[people, names(Secret), own]), []);
    }
}
