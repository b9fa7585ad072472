//! Every input of the corpus, on the stable toolchain: what fuzzing found once is tried at each build.

use hospes_fuzz::Target;
use std::path::Path;

#[test]
fn every_input_of_the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in Target::ALL {
        let mut tried = 0;
        for entry in std::fs::read_dir(corpus.join(target.name())).unwrap() {
            let path = entry.unwrap().path();
            let input = std::fs::read(&path).unwrap();
            if std::panic::catch_unwind(|| target.run(&input)).is_err() {
                panic!("{} does not hold", path.display());
            }
            tried += 1;
        }
        assert!(tried > 0, "{} has no inputs", target.name());
    }
}
