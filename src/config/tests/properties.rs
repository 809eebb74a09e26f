//! Holds what must be so for any text: nothing panics, what is shown reads as the same, no secret shows.

use proptest::prelude::*;

use crate::config::tests::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_in_the_file_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Config::load(&Machine::new().file("work/config.toml", bytes).inputs);
    }

    #[test]
    fn no_text_panics_in_any_source(key in prop::sample::select(KEYS), text in any::<String>(), name in any::<String>()) {
        let quoted = format!("{} = '''{text}'''\n", key.name);
        let _ = Config::load(&from_file(&quoted).inputs);
        let _ = Config::load(&from_file(&format!("{name} = {text}")).inputs);
        let _ = Config::load(&Machine::new().env(&key.variable(), &text).inputs);
        let _ = Config::load(&Machine::new().env(&format!("USHER_{name}"), &text).inputs);
        let _ = Config::load(&Machine::new().env("STATE_DIRECTORY", &text).inputs);
        let _ = Config::load(&Machine::new().env("USHER_CONFIG", &text).inputs);
        let _ = Config::load(&Machine::new().flag(key.name, &text).inputs);
        let _ = Config::load(&Machine::new().config(&text).inputs);
    }

    #[test]
    fn what_is_shown_is_read_as_the_same(
        key in prop::sample::select(KEYS),
        text in "[a-z:/.,=0-9\\[\\] -]{1,20}|(https?|app)://[a-z.é]{1,9}(:[0-9]{1,5})?|[0-9]{1,3}(\\.[0-9]{1,3}){3}([:/][0-9]{1,3})?",
    ) {
        if let Ok(config) = Config::load(&Machine::new().flag(key.name, &text).inputs) {
            let shown = config.shown(key.name);
            let again = Config::load(&Machine::new().flag(key.name, &shown).inputs);
            prop_assert_eq!(again.map(|config| config.shown(key.name)), Ok(shown));
        }
    }

    #[test]
    fn secrets_show_in_no_refusal(other in prop::sample::select(KEYS), bad in "[!-~]{0,8}") {
        let pair = || Machine::new().env("USHER_SECRET_KEY", SENTINEL).env("USHER_SUPERUSER_PASSWORD", SENTINEL);
        let text = format!("secret_key = '{SENTINEL}'\nsuperuser_password = \"{SENTINEL}\"\n{} = {bad}", other.name);
        for machine in [pair(), pair().flag(other.name, &bad), from_file(&text), pair().env("USHER_CONFIG", &bad)] {
            if let Err(error) = Config::load(&machine.inputs) {
                prop_assert!(!format!("{error} {error:?} {:?}", machine.inputs).contains("hunter2"), "{}", error);
            }
        }
    }
}
